//! Everything that is good once, asked for by fifty at the same moment: one of them gets it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::browser::consent;
use crate::support::people;
use crate::support::{Answer, AuthRequest, Reply, Spec, TestServer, Tokens, jwt, race};

on_both![
    a_code_is_redeemed_once,
    an_assertion_is_used_once,
    an_interaction_is_answered_once,
    a_pushed_request_is_completed_in_one_browser,
    a_refresh_token_has_one_successor,
    a_time_step_signs_in_once,
    a_recovery_code_signs_in_once,
    an_invitation_makes_one_account,
    a_step_of_the_activation_is_taken_once,
    a_standing_grant_is_made_once,
    one_authorization_serves_all_tokens_of_a_client,
];

const MANY: usize = 50;

fn winners(replies: &[Reply]) -> Vec<&Reply> {
    assert!(
        replies.iter().all(|reply| reply.status < 500),
        "{replies:?}"
    );
    replies.iter().filter(|reply| reply.status == 200).collect()
}

async fn a_code_is_redeemed_once(server: TestServer) {
    let server = Arc::new(server);
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let replies = race(MANY, |_| {
        let (server, app, request, code) = (
            Arc::clone(&server),
            app.clone(),
            request.clone(),
            code.clone(),
        );
        async move { request.try_redeem(&server, &app, &code).await }
    })
    .await;
    let won = winners(&replies);
    assert_eq!(won.len(), 1);
    // Forty-nine of them were replays: what the code gave is revoked.
    let tokens = Tokens::of(&won[0].json);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
}

async fn an_assertion_is_used_once(server: TestServer) {
    let server = Arc::new(server);
    let app = server.register(Spec::with_key("app")).await;
    let assertion = app.assertion(&app.claims(&server));
    let replies = race(MANY, |_| {
        let (server, assertion) = (Arc::clone(&server), assertion.clone());
        async move {
            let form = [
                ("grant_type", "client_credentials"),
                ("scope", "accounts:read"),
                ("client_assertion_type", jwt::ASSERTION_TYPE),
                ("client_assertion", &assertion),
            ];
            Reply::of(server.http.post(server.at("/token")).form(&form)).await
        }
    })
    .await;
    assert_eq!(winners(&replies).len(), 1);
}

async fn an_interaction_is_answered_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = page.form("/consent").unwrap();
    let pages = race(MANY, |_| {
        let (mut browser, action) = (browser.clone(), action.clone());
        async move { browser.post(&action, &[("decision", "allow")]).await }
    })
    .await;
    assert!(pages.iter().all(|page| page.status < 500));
    let codes = pages
        .iter()
        .filter(|page| !Answer::of(page).get("code").is_empty());
    assert_eq!(codes.count(), 1);
}

async fn a_pushed_request_is_completed_in_one_browser(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut first = server.browser();
    first.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let short = request.pushed(&server, &app).await;
    let mut ready = Vec::new();
    for _ in 0..MANY {
        // A browser that shares only the session.
        let mut browser = first.clone();
        let page = browser.begin(&server, &short).await;
        let form: Vec<(&'static str, String)> = consent(&page)
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        ready.push((browser, page.form("/consent").unwrap(), form));
    }
    let pages = race(MANY, |n| {
        let (mut browser, action, form) = ready[n].clone();
        async move {
            let form: Vec<_> = form
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            browser.post(&action, &form).await
        }
    })
    .await;
    let codes: Vec<_> = pages
        .iter()
        .map(|page| Answer::of(page).get("code").to_owned())
        .filter(|code| !code.is_empty())
        .collect();
    assert_eq!(codes.len(), 1);
    request.redeem(&server, &app, &codes[0]).await;
}

async fn a_refresh_token_has_one_successor(server: TestServer) {
    let server = Arc::new(server);
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid offline_access accounts:read")
        .await;
    let replies = race(MANY, |_| {
        let (server, app, token) = (Arc::clone(&server), app.clone(), tokens.refresh.clone());
        async move { app.refresh(&server, &token).await }
    })
    .await;
    let next: BTreeSet<_> = winners(&replies)
        .iter()
        .map(|reply| reply.text("refresh_token").to_owned())
        .collect();
    assert_eq!(winners(&replies).len(), MANY);
    assert_eq!(next.len(), 1, "one successor for all");
    let next = next.into_iter().next().unwrap();
    assert_ne!(next, tokens.refresh);
    let third = app.refresh(&server, &next).await.ok();
    assert_ne!(third["refresh_token"], next.as_str());
    assert!(
        server
            .accounts
            .sees(&server, third["access_token"].as_str().unwrap())
            .await
    );
}

async fn a_time_step_signs_in_once(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(30);
    let code = ada.code(&server);
    assert_eq!(sign_in_everywhere(&server, &ada, &code).await, 1);
}

async fn a_recovery_code_signs_in_once(server: TestServer) {
    let ada = server.person("ada").await;
    assert_eq!(
        sign_in_everywhere(&server, &ada, &ada.recovery_codes[3]).await,
        1
    );
}

async fn sign_in_everywhere(
    server: &TestServer,
    ada: &crate::support::Person,
    code: &str,
) -> usize {
    let signed_in = race(MANY, |_| {
        let (mut browser, ada, code) = (server.browser(), ada.clone(), code.to_owned());
        async move {
            let page = browser
                .try_sign_in(&ada.username, &ada.password, &code)
                .await;
            assert!(page.status < 500, "{page:?}");
            browser.is_signed_in().await
        }
    })
    .await;
    signed_in.into_iter().filter(|yes| *yes).count()
}

async fn an_invitation_makes_one_account(server: TestServer) {
    const BROWSERS: usize = 5;
    let (id, link) = people::invite(&server, "ada").await;
    let mut ready = Vec::new();
    for _ in 0..BROWSERS {
        ready.push(people::go_through(&server, "ada", id, &link).await);
    }
    let done = race(MANY, |n| {
        let at = &ready[n % BROWSERS];
        let (mut browser, action) = (at.browser.clone(), at.page.form("/activate/codes").unwrap());
        let asked = people::asked_code(&at.page, &at.person);
        async move {
            let page = browser.post(&action, &[("confirm", &asked)]).await;
            let page = browser.follow(page).await;
            page.body.contains("Your sign-in is ready")
        }
    })
    .await;
    assert_eq!(done.into_iter().filter(|yes| *yes).count(), 1);
    server.advance(30);
    let mut usable = 0;
    for at in &ready {
        let mut browser = server.browser();
        let code = at.person.code(&server);
        browser.try_sign_in("ada", &at.person.password, &code).await;
        usable += usize::from(browser.is_signed_in().await);
        server.advance(60);
    }
    assert_eq!(usable, 1, "one authenticator counts");
}

async fn a_step_of_the_activation_is_taken_once(server: TestServer) {
    let (_, link) = people::invite(&server, "ada").await;
    let mut browser = server.browser();
    let page = people::to_factor(&mut browser, &link).await;
    let action = page.form("/activate/factor").unwrap();
    let secret = people::secret(&page);
    let code = people::code_at(&secret, u64::try_from(server.now()).unwrap());
    race(MANY, |_| {
        let (mut browser, action, code) = (browser.clone(), action.clone(), code.clone());
        async move {
            let page = browser.post(&action, &[("code", &code)]).await;
            assert!(page.status < 500, "{page:?}");
        }
    })
    .await;
    let one = people::recovery_codes(&browser.open("/activate").await);
    let two = people::recovery_codes(&browser.open("/activate").await);
    assert_eq!(one, two);
    assert!(!one.is_empty());
}

async fn a_standing_grant_is_made_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let mut ready = Vec::new();
    for _ in 0..MANY {
        let mut tab = browser.clone();
        let page = tab
            .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
            .await;
        ready.push((tab, page.form("/consent").unwrap()));
    }
    let pages = race(MANY, |n| {
        let (mut tab, action) = ready[n].clone();
        async move { tab.post(&action, &[("decision", "allow")]).await }
    })
    .await;
    for page in pages {
        Answer::of(&page).code();
    }
    let account = browser.open("/account/apps").await;
    assert_eq!(
        account.body.matches("<h2><bdi>The app app</bdi>").count(),
        1,
        "{}",
        account.body
    );
}

async fn one_authorization_serves_all_tokens_of_a_client(server: TestServer) {
    let server = Arc::new(server);
    let app = server.register(Spec::confidential("app")).await;
    let replies = race(MANY, |_| {
        let (server, app) = (Arc::clone(&server), app.clone());
        async move { app.client_credentials(&server, "cards:read").await }
    })
    .await;
    let mut authorizations = BTreeSet::new();
    for reply in winners(&replies) {
        let verified = jwt::verify(&server, reply.text("access_token")).await;
        authorizations.insert(verified.claims["azn"].to_string());
    }
    assert_eq!(winners(&replies).len(), MANY);
    assert_eq!(authorizations.len(), 1);
}
