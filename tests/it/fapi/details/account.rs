//! What a person agreed to stands on her account page, at the app that asked for it.

use serde_json::{Value, json};

use super::{app, asking, payment, start, tokens};
use crate::support::TestServer;

on_both_with_types![
    what_she_agreed_to_stands_at_the_app_in_the_words_of_the_consent_page,
    the_newest_few_stand_there_and_long_ones_are_cut,
    what_was_stopped_or_is_over_stands_there_no_more,
];

async fn account(server: &TestServer, browser: &mut crate::support::Browser) -> String {
    let page = browser.get(&server.at("/account/apps")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    // As on the account page itself.
    let home = browser.get(&server.at("/account")).await;
    let at_the_app = |body: &str| {
        let (_, rest) = body.split_once("<li id=\"app-").unwrap_or_default();
        let (row, _) = rest.split_once("</form>").unwrap_or_default();
        row.replace("h3>", "h2>").replace('\u{a0}', " ")
    };
    assert_eq!(at_the_app(&home.body), at_the_app(&page.body));
    at_the_app(&page.body)
}

async fn what_she_agreed_to_stands_at_the_app_in_the_words_of_the_consent_page(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let mut detail = payment("<b>Corner Bakery</b>", "9.50");
    detail["purpose"] = "rolls".into();
    let request = asking(&app, &json!([detail]));
    tokens(&server, &app, &request, &ada).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let shown = account(&server, &mut browser).await;
    for expected in [
        "<b>Make a payment</b>",
        "<bdi class=\"value\">9.50</bdi> <bdi class=\"value\">EUR</bdi> to \
         <bdi class=\"value\">&#60;b&#62;Corner Bakery&#60;/b&#62;</bdi>",
        "purpose",
        "rolls",
        "You confirmed this on 1 June 2026",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    // Nobody else sees it.
    let eve = server.person("eve").await;
    let mut other = server.browser();
    other.sign_in(&server, &eve).await;
    assert!(!account(&server, &mut other).await.contains("Bakery"));
}

async fn the_newest_few_stand_there_and_long_ones_are_cut(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    for number in 0..12 {
        let mut detail = payment(&format!("number {number}."), "9.50");
        detail["purpose"] = "x".repeat(3000).into();
        app.code(&server, &asking(&app, &json!([detail])), &ada)
            .await;
        server.clock.advance(std::time::Duration::from_secs(1));
    }
    let many: Value = (0..8).map(|_| payment("many", "1.00")).collect();
    app.code(&server, &asking(&app, &many), &ada).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let shown = account(&server, &mut browser).await;
    assert_eq!(shown.matches("Make a payment").count(), 3, "{shown}");
    assert!(!shown.contains("number"), "{shown}");
    let page = browser.get(&server.at("/account/apps")).await;
    assert!(page.body.len() < 14 * 1024, "{}", page.body.len());
    let kept = "SELECT CAST(MAX(LENGTH(agreed)) AS BIGINT) FROM grants";
    assert_eq!(server.number(kept).await, 10 * 37 - 1);
}

async fn what_was_stopped_or_is_over_stands_there_no_more(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let request = asking(&app, &json!([payment("Corner Bakery", "9.50")]));
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    app.post(&server, "/token", &form).await.ok();
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    assert!(account(&server, &mut browser).await.contains("Bakery"));
    // A code that comes again ends what it gave.
    app.post(&server, "/token", &form).await;
    let shown = account(&server, &mut browser).await;
    assert!(!shown.is_empty() && !shown.contains("Bakery"), "{shown}");
}
