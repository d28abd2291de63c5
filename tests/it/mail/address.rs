//! The link that confirms an e-mail address.

use countersign::flows::users::{self, UserEdit};
use serde_json::{Map, Value, json};

use super::{delivered, events, subjects};
use crate::support::server::caller;
use crate::support::smtp::Smtp;
use crate::support::{Browser, Page, Person, Reply, Spec, TestServer, race};

on_both_mailed![
    she_confirms_the_address_that_the_link_went_to,
    a_look_at_the_link_changes_nothing,
    nobody_else_opens_her_link,
    she_signs_in_first_and_comes_back_to_the_link,
    the_link_works_once,
    fifty_at_once_confirm_once,
    the_link_is_over_after_an_hour,
    an_address_that_changed_meanwhile_is_not_confirmed,
    a_newer_link_ends_the_older,
    what_is_no_link_confirms_nothing,
    a_disabled_person_confirms_nothing,
    links_are_not_sent_by_the_dozen,
    fifty_wishes_at_once_send_one_mail,
    another_sites_form_sends_and_confirms_nothing,
    a_mail_to_the_former_address_is_not_sent_any_more,
    what_is_confirmed_is_not_offered,
];

on_both![
    without_mail_nothing_is_offered,
    another_address_is_verified_only_when_the_operator_says_so,
];

const NEW: &str = "new@mail.example";
const ASK: &str = "/account/address";
const CONFIRM: &str = "/account/address/confirm";

/// An operator changes claims of ada.
async fn set(server: &TestServer, claims: Value) {
    let Value::Object(claims) = claims else {
        panic!("{claims}");
    };
    let edit = UserEdit {
        claims,
        removed: Vec::new(),
    };
    let done = users::set(&server.app, "ada", edit, &caller()).await;
    done.unwrap();
}

/// Ada, whose address was changed by an operator, and her browser, signed in.
async fn moved(server: &TestServer, smtp: &Smtp) -> (Person, Browser) {
    let ada = server.person("ada").await;
    set(server, json!({ "email": NEW })).await;
    let mut browser = server.browser();
    browser.sign_in(server, &ada).await;
    delivered(server, smtp).await;
    (ada, browser)
}

/// Asks for a link; gives its path.
async fn ask(server: &TestServer, smtp: &Smtp, browser: &mut Browser) -> String {
    let page = browser.post(ASK, &[]).await;
    assert_eq!(page.location(), "/account?sent", "{}", page.body);
    let letters = delivered(server, smtp).await;
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    assert_eq!(letter.to, NEW);
    assert_eq!(letter.header("Subject"), "Confirm this address");
    let (text, html) = (letter.text(), letter.html());
    let (_, rest) = text
        .split_once(&server.at("/account/address?link="))
        .unwrap();
    let token = rest.split_whitespace().next().unwrap();
    let path = format!("/account/address?link={token}");
    assert!(
        html.contains(&format!("href=\"{}\"", server.at(&path))),
        "{html}"
    );
    path
}

async fn confirm(browser: &mut Browser, path: &str) -> Page {
    let (_, token) = path.split_once("link=").unwrap();
    browser.post(CONFIRM, &[("link", token)]).await
}

/// What is told of her address.
async fn verified(server: &TestServer) -> Value {
    let shown = users::find(&server.app, "ada").await.unwrap();
    shown.profile.claims["email_verified"].clone()
}

async fn confirmed(server: &TestServer) -> i64 {
    events(server, "address.confirmed").await
}

async fn she_confirms_the_address_that_the_link_went_to(server: TestServer, smtp: Smtp) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, mut browser) = moved(&server, &smtp).await;
    let tokens = browser.code_flow(&server, &app, &ada, "openid email").await;
    let ask_userinfo = async || {
        let request = server.http.get(server.at("/userinfo"));
        Reply::of(request.bearer_auth(&tokens.access)).await.ok()
    };
    assert_eq!(ask_userinfo().await["email_verified"], false);
    delivered(&server, &smtp).await;
    let page = browser.get("/account").await;
    assert!(page.body.contains(NEW), "{}", page.body);
    assert!(page.form(ASK).is_some());
    let path = ask(&server, &smtp, &mut browser).await;
    let page = browser.get(&path).await;
    assert!(page.body.contains(NEW), "{}", page.body);
    let page = confirm(&mut browser, &path).await;
    let page = browser.follow(page).await;
    assert!(page.body.contains("Your e-mail address is confirmed."));
    assert!(page.form(ASK).is_none(), "nothing is left to confirm");
    let page = browser.get("/account/activity").await;
    assert!(page.body.contains("You confirmed your e-mail address"));
    let told = ask_userinfo().await;
    assert_eq!(told["email"], NEW);
    assert_eq!(told["email_verified"], true);
    assert_eq!(confirmed(&server).await, 1);
    assert_eq!(events(&server, "address.asked").await, 1);
}

async fn a_look_at_the_link_changes_nothing(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    for _ in 0..3 {
        let page = browser.get(&path).await;
        assert!(page.form(CONFIRM).is_some(), "{}", page.body);
        let head = server.http.head(server.at(&path));
        browser.send(head).await;
        // A program that reads mail is signed in nowhere.
        let page = server.browser().get(&path).await;
        assert!(page.location().starts_with("/sign-in?to="));
    }
    assert_eq!(verified(&server).await, false);
    assert_eq!(confirmed(&server).await, 0);
    assert_eq!(confirm(&mut browser, &path).await.status, 303);
    assert_eq!(verified(&server).await, true);
}

async fn nobody_else_opens_her_link(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let ben = server.person("ben").await;
    let mut other = server.browser();
    other.sign_in(&server, &ben).await;
    delivered(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    let page = other.get(&path).await;
    assert_eq!(page.status, 410, "{}", page.body);
    assert!(!page.body.contains(NEW));
    assert_eq!(confirm(&mut other, &path).await.status, 410);
    let page = confirm(&mut server.browser(), &path).await;
    assert!(page.location().starts_with("/sign-in"));
    assert_eq!(verified(&server).await, false);
    // And it was not spent.
    assert_eq!(confirm(&mut browser, &path).await.status, 303);
    assert_eq!(verified(&server).await, true);
}

async fn she_signs_in_first_and_comes_back_to_the_link(server: TestServer, smtp: Smtp) {
    let (ada, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    let mut phone = server.browser();
    let sign_in = phone.get(&path).await.location().to_owned();
    assert!(sign_in.starts_with("/sign-in?to="), "{sign_in}");
    let code = ada.next_code(&server);
    let form = [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", &code),
    ];
    let page = phone.post(&sign_in, &form).await;
    assert_eq!(page.location(), path);
    let page = phone.follow(page).await;
    assert!(page.form(CONFIRM).is_some(), "{}", page.body);
    assert_eq!(confirm(&mut phone, &path).await.status, 303);
    assert_eq!(verified(&server).await, true);
}

async fn the_link_works_once(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    assert_eq!(confirm(&mut browser, &path).await.status, 303);
    assert_eq!(confirm(&mut browser, &path).await.status, 410);
    assert_eq!(browser.get(&path).await.status, 410);
    // Nor does it confirm the address when an operator doubts it again.
    set(&server, json!({ "email_verified": false })).await;
    assert_eq!(confirm(&mut browser, &path).await.status, 410);
    assert_eq!(verified(&server).await, false);
    assert_eq!(confirmed(&server).await, 1);
}

async fn fifty_at_once_confirm_once(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    let pages = race(50, |_| {
        let (mut browser, path) = (browser.clone(), path.clone());
        async move { confirm(&mut browser, &path).await }
    })
    .await;
    let through = pages.iter().filter(|page| page.status == 303).count();
    assert_eq!(through, 1);
    assert_eq!(confirmed(&server).await, 1);
}

async fn the_link_is_over_after_an_hour(server: TestServer, smtp: Smtp) {
    let (ada, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    server.advance(3600);
    browser.sign_in(&server, &ada).await;
    assert_eq!(browser.get(&path).await.status, 410);
    assert_eq!(confirm(&mut browser, &path).await.status, 410);
    assert_eq!(verified(&server).await, false);
}

async fn an_address_that_changed_meanwhile_is_not_confirmed(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    set(&server, json!({ "email": "other@mail.example" })).await;
    assert_eq!(browser.get(&path).await.status, 410);
    assert_eq!(confirm(&mut browser, &path).await.status, 410);
    // Nor when it is the same again.
    set(&server, json!({ "email": NEW })).await;
    assert_eq!(confirm(&mut browser, &path).await.status, 410);
    assert_eq!(verified(&server).await, false);
}

async fn a_newer_link_ends_the_older(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let older = ask(&server, &smtp, &mut browser).await;
    server.advance(120);
    let newer = ask(&server, &smtp, &mut browser).await;
    assert_eq!(confirm(&mut browser, &older).await.status, 410);
    assert_eq!(confirm(&mut browser, &newer).await.status, 303);
}

async fn what_is_no_link_confirms_nothing(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let good = ask(&server, &smtp, &mut browser).await;
    let long = "a".repeat(900);
    for bad in ["", " ", "cs_ml_", "%00", "cs_iv_x", &long] {
        let path = format!("{ASK}?link={bad}");
        assert_eq!(browser.get(&path).await.status, 410, "{bad}");
        let page = browser.post(CONFIRM, &[("link", bad)]).await;
        assert_eq!(page.status, 410, "{bad}");
    }
    assert_eq!(browser.post(CONFIRM, &[]).await.status, 410);
    assert_eq!(browser.get(ASK).await.location(), "/account");
    assert_eq!(verified(&server).await, false);
    assert_eq!(confirm(&mut browser, &good).await.status, 303);
}

async fn a_disabled_person_confirms_nothing(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let path = ask(&server, &smtp, &mut browser).await;
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    assert_eq!(confirm(&mut browser, &path).await.status, 303);
    assert_eq!(browser.post(ASK, &[]).await.status, 303);
    assert_eq!(verified(&server).await, false);
    assert_eq!(confirmed(&server).await, 0);
}

async fn links_are_not_sent_by_the_dozen(server: TestServer, smtp: Smtp) {
    let (ada, mut browser) = moved(&server, &smtp).await;
    ask(&server, &smtp, &mut browser).await;
    let page = browser.post(ASK, &[]).await;
    assert_eq!(page.location(), "/account?lately");
    for _ in 0..4 {
        server.advance(120);
        ask(&server, &smtp, &mut browser).await;
    }
    server.advance(120);
    // Whichever browser she asks from.
    let mut other = server.browser();
    other.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    for browser in [&mut browser, &mut other] {
        let page = browser.post(ASK, &[]).await;
        assert_eq!(page.location(), "/account?lately");
        let page = browser.follow(page).await;
        assert!(page.body.contains("We sent you a link already"));
    }
    assert!(delivered(&server, &smtp).await.is_empty());
    server.advance(24 * 3600);
    browser.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    ask(&server, &smtp, &mut browser).await;
}

async fn fifty_wishes_at_once_send_one_mail(server: TestServer, smtp: Smtp) {
    let (_, browser) = moved(&server, &smtp).await;
    race(50, |_| {
        let mut browser = browser.clone();
        async move { browser.post(ASK, &[]).await }
    })
    .await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Confirm this address"]);
    let waiting = "SELECT COUNT(*) FROM webauthn_ceremonies WHERE purpose = 'address'";
    assert_eq!(server.number(waiting).await, 1);
}

async fn another_sites_form_sends_and_confirms_nothing(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    for origin in [None, Some("https://evil.example"), Some("null")] {
        assert_eq!(browser.post_from(ASK, &[], origin).await.status, 403);
    }
    assert!(delivered(&server, &smtp).await.is_empty());
    let path = ask(&server, &smtp, &mut browser).await;
    let (_, token) = path.split_once("link=").unwrap();
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let page = browser.post_from(CONFIRM, &[("link", token)], origin).await;
        assert_eq!(page.status, 403);
    }
    assert_eq!(verified(&server).await, false);
}

async fn a_mail_to_the_former_address_is_not_sent_any_more(server: TestServer, smtp: Smtp) {
    let (_, mut browser) = moved(&server, &smtp).await;
    let page = browser.post(ASK, &[]).await;
    assert_eq!(page.location(), "/account?sent");
    set(&server, json!({ "email": "other@mail.example" })).await;
    let letters = delivered(&server, &smtp).await;
    assert!(letters.iter().all(|got| !got.raw.contains("cs_ml_")));
    let told = subjects(&letters);
    assert!(
        !told.contains(&"Confirm this address".to_owned()),
        "{told:?}"
    );
}

async fn what_is_confirmed_is_not_offered(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    assert!(browser.get("/account").await.form(ASK).is_none());
    assert_eq!(browser.post(ASK, &[]).await.location(), "/account");
    assert!(delivered(&server, &smtp).await.is_empty());
    assert_eq!(events(&server, "address.asked").await, 0);
}

async fn without_mail_nothing_is_offered(server: TestServer) {
    let ada = server.person("ada").await;
    set(&server, json!({ "email": NEW })).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    assert!(browser.get("/account").await.form(ASK).is_none());
    assert_eq!(browser.post(ASK, &[]).await.location(), "/account");
    assert_eq!(events(&server, "address.asked").await, 0);
}

async fn another_address_is_verified_only_when_the_operator_says_so(server: TestServer) {
    server.person("ada").await;
    assert_eq!(verified(&server).await, true);
    set(&server, json!({ "nickname": "Countess" })).await;
    assert_eq!(verified(&server).await, true);
    set(&server, json!({ "email": NEW })).await;
    assert_eq!(verified(&server).await, false);
    set(
        &server,
        json!({ "email": "b@mail.example", "email_verified": true }),
    )
    .await;
    assert_eq!(verified(&server).await, true);
    // It takes no claim away to hide what was said of the former address.
    let edit = UserEdit {
        claims: Map::new(),
        removed: vec!["email".to_owned()],
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap();
    assert_eq!(verified(&server).await, false);
}
