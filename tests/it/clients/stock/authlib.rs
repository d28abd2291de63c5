//! `PyPI` Authlib with Flask and Requests: discovery, PKCE, state, nonce, ID token, userinfo,
//! refresh, revocation, sign-out, `private_key_jwt`.

use crate::support::{Engine, TestServer};

on_both_now![
    authlib_does_everything,
    authlib_refuses_what_it_did_not_ask_for,
    authlib_signs_assertions,
    authlib_signs_a_person_out,
];

on_both_engines![authlib_does_everything_over_native_tls];

async fn authlib_does_everything(server: TestServer) {
    super::a_web_app_does_everything(&server, "authlib_client.py").await;
}

async fn authlib_refuses_what_it_did_not_ask_for(server: TestServer) {
    super::a_web_app_refuses_what_it_did_not_ask_for(&server, "authlib_client.py").await;
}

async fn authlib_signs_assertions(server: TestServer) {
    super::a_job_with_a_key_calls_the_api(&server, "authlib_machine.py").await;
}

async fn authlib_signs_a_person_out(server: TestServer) {
    super::a_web_app_signs_a_person_out(&server, "authlib_client.py").await;
}

async fn authlib_does_everything_over_native_tls(engine: Engine) {
    let server = TestServer::start_over_tls(engine).await;
    super::a_web_app_does_everything(&server, "authlib_client.py").await;
}
