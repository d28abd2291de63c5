//! What people see and stop on their account page.

use crate::support::{AuthRequest, Spec, TestServer};

on_both![
    a_connected_app_is_shown_and_stopped,
    stopping_asks_first,
    anothers_app_cannot_be_stopped,
    a_session_elsewhere_is_ended,
    anothers_session_cannot_be_ended,
    the_account_page_needs_a_session,
];

async fn a_connected_app_is_shown_and_stopped(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let account = browser.open("/account").await;
    assert!(account.body.contains("The app app") && account.body.contains("See your accounts"));
    let action = account.form("/stop").unwrap();
    let page = browser.post(&action, &[]).await;
    let page = browser.follow(page).await;
    assert!(page.form("/stop").is_none(), "{}", page.body);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    // Asked again, the person is asked again.
    let page = browser.begin(&server, &AuthRequest::new(&app, scope)).await;
    assert!(page.form("/consent").is_some());
    server.advance(1);
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
}

async fn stopping_asks_first(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let action = browser.open("/account").await.form("/stop").unwrap();
    let page = browser.get(&action).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("The app app"));
    assert!(
        server.accounts.sees(&server, &tokens.access).await,
        "looking stops nothing"
    );
}

async fn anothers_app_cannot_be_stopped(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut hers = server.browser();
    let tokens = hers
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let action = hers.open("/account").await.form("/stop").unwrap();
    let mut other = server.browser();
    other.sign_in(&server, &bea).await;
    let page = other.get(&action).await;
    assert!((400..500).contains(&page.status), "{page:?}");
    other.post(&action, &[]).await;
    server.browser().post(&action, &[]).await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
    for path in [
        "/account/apps/x/stop",
        "/account/apps/00000000-0000-0000-0000-000000000000/stop",
    ] {
        assert!(other.post(path, &[]).await.status < 500);
        assert!(other.get(path).await.status < 500);
    }
}

async fn a_session_elsewhere_is_ended(server: TestServer) {
    let ada = server.person("ada").await;
    let (mut here, mut there) = (server.browser(), server.browser());
    there.sign_in(&server, &ada).await;
    here.sign_in(&server, &ada).await;
    let account = here.open("/account").await;
    let actions: Vec<String> = account
        .body
        .split("action=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|action| action.ends_with("/end"))
        .map(str::to_owned)
        .collect();
    // Each device has its line; this one ends by signing out, or by its line.
    assert!(account.body.contains("This device"));
    for action in actions {
        if here.is_signed_in().await && there.is_signed_in().await {
            here.post(&action, &[]).await;
        }
    }
    let alive = [here.is_signed_in().await, there.is_signed_in().await];
    assert_eq!(
        alive.iter().filter(|yes| **yes).count(),
        1,
        "one of the two was ended"
    );
}

async fn anothers_session_cannot_be_ended(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let (mut hers, mut second, mut other) = (server.browser(), server.browser(), server.browser());
    second.sign_in(&server, &ada).await;
    hers.sign_in(&server, &ada).await;
    other.sign_in(&server, &bea).await;
    let action = hers.open("/account").await.form("/end").unwrap();
    other.post(&action, &[]).await;
    server.browser().post(&action, &[]).await;
    assert!(hers.is_signed_in().await && second.is_signed_in().await);
    for path in [
        "/account/sessions/x/end",
        "/account/sessions/00000000-0000-0000-0000-000000000000/end",
    ] {
        assert!(other.post(path, &[]).await.status < 500);
    }
}

async fn the_account_page_needs_a_session(server: TestServer) {
    let mut browser = server.browser();
    let page = browser.get("/account").await;
    assert!(page.location().contains("/sign-in"), "{page:?}");
    let page = browser
        .post(
            "/account/apps/00000000-0000-0000-0000-000000000000/stop",
            &[],
        )
        .await;
    assert!(page.status >= 300);
}
