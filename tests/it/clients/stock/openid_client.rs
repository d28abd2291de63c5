//! npm `openid-client` on Node.js: discovery, PAR, PKCE, state, nonce, issuer, ID token, userinfo,
//! refresh, revocation, sign-out, `private_key_jwt`, introspection.

use crate::support::{Engine, TestServer};

on_both_now![
    openid_client_does_everything,
    openid_client_refuses_what_it_did_not_ask_for,
    openid_client_signs_assertions,
    openid_client_signs_a_person_out,
];

on_both_engines![openid_client_does_everything_over_native_tls];

async fn openid_client_does_everything(server: TestServer) {
    super::a_web_app_does_everything(&server, "openid_client.mjs").await;
}

async fn openid_client_refuses_what_it_did_not_ask_for(server: TestServer) {
    super::a_web_app_refuses_what_it_did_not_ask_for(&server, "openid_client.mjs").await;
}

async fn openid_client_signs_a_person_out(server: TestServer) {
    super::a_web_app_signs_a_person_out(&server, "openid_client.mjs").await;
}

async fn openid_client_does_everything_over_native_tls(engine: Engine) {
    let server = TestServer::start_over_tls(engine).await;
    assert!(server.issuer.starts_with("https://"));
    super::a_web_app_does_everything(&server, "openid_client.mjs").await;
}

async fn openid_client_signs_assertions(server: TestServer) {
    super::a_job_with_a_key_calls_the_api(&server, "openid_machine.mjs").await;
}
