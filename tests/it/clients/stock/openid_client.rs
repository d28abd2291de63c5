//! npm `openid-client` on Node.js: discovery, PAR, PKCE, state, nonce, issuer, ID token, userinfo,
//! refresh, revocation, sign-out, `private_key_jwt`, introspection.

use crate::support::TestServer;

on_both_now![
    openid_client_does_everything,
    openid_client_refuses_what_it_did_not_ask_for,
    openid_client_signs_assertions,
    openid_client_signs_a_person_out,
];

async fn openid_client_does_everything(server: TestServer) {
    super::a_web_app_does_everything(&server, "openid_client.mjs").await;
}

async fn openid_client_refuses_what_it_did_not_ask_for(server: TestServer) {
    super::a_web_app_refuses_what_it_did_not_ask_for(&server, "openid_client.mjs").await;
}

/// At the bank too: the ID token says who it is, so that she is asked nothing.
async fn openid_client_signs_a_person_out(server: TestServer) {
    let api = super::accounts_api(&server).await;
    let mut app = super::WebApp::start(&server, "openid_client.mjs", &api).await;
    let ada = server.person("ada").await;
    let mut bank = server.browser();
    app.sign_in(&server, &mut bank, &ada).await;
    assert!(bank.is_signed_in().await);
    let page = app.browser.get("/sign-out").await;
    let to = page.location().to_owned();
    assert!(to.starts_with(&server.at("/end_session")), "{page:?}");
    let page = bank.open(&to).await;
    assert!(page.location().starts_with(&app.home), "{page:?}");
    assert!(!bank.is_signed_in().await);
}

async fn openid_client_signs_assertions(server: TestServer) {
    super::a_job_with_a_key_calls_the_api(&server, "openid_machine.mjs").await;
}
