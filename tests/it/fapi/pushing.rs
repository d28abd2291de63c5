//! Requests of the profile: pushed, and only so (FAPI 2.0 Security Profile §5.3.2.2).

use crate::support::{Answer, Reply, Spec, TestServer};

use super::{Holder, partner, partner_with, refused, send};

on_both![
    a_request_that_was_not_pushed_is_refused,
    any_client_may_be_held_to_pushing,
    a_pushed_request_leads_to_a_code_with_the_issuer,
    what_the_profile_does_not_allow_cannot_be_pushed,
    only_post_pushes,
    a_long_state_and_nonce_come_back_whole,
    a_person_who_refuses_sends_the_error_state_and_issuer,
    a_key_that_is_named_must_be_the_one_that_is_shown,
    a_request_belongs_to_the_client_that_pushed_it,
];

async fn a_request_that_was_not_pushed_is_refused(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app.request("openid");
    let answer = Answer::of(&server.browser().get(&request.url(&server)).await);
    assert_eq!(answer.error(), "invalid_request");
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    // Nor is it shown a page of its own by a request object in the address.
    let signed = request.with("request", "e30.e30.x");
    let answer = Answer::of(&server.browser().get(&signed.url(&server)).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn any_client_may_be_held_to_pushing(server: TestServer) {
    let mut spec = Spec::confidential("app");
    spec.metadata.require_pushed_authorization_requests = true;
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let request = crate::support::AuthRequest::new(&app, "openid");
    let answer = Answer::of(&server.browser().get(&request.url(&server)).await);
    assert_eq!(answer.error(), "invalid_request");
    let short = request.pushed(&server, &app).await;
    server.browser().walk(&server, &short, &ada).await.code();
}

async fn a_pushed_request_leads_to_a_code_with_the_issuer(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let request = app.request("openid accounts:read");
    let reply = app.push(&server, &request).await;
    let answer = app.walk(&server, (&request, &reply), &ada).await;
    assert_eq!(answer.to, app.app.redirect_uri);
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    assert!(answer.code().len() >= 22);
    // Neither state nor nonce is made up.
    let request = app.request("openid").without("state").without("nonce");
    let reply = app.push(&server, &request).await;
    let answer = app.walk(&server, (&request, &reply), &ada).await;
    answer.code();
    assert!(!answer.params.contains_key("state"));
}

async fn what_the_profile_does_not_allow_cannot_be_pushed(server: TestServer) {
    let app = partner(&server, "app").await;
    let good = || app.request("openid");
    let more = format!("{}/more", app.app.redirect_uri);
    let table = [
        (
            good().with("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
        ),
        (good().without("code_challenge"), "invalid_request"),
        (
            good()
                .without("code_challenge")
                .without("code_challenge_method"),
            "invalid_request",
        ),
        (
            good().with("code_challenge_method", "plain"),
            "invalid_request",
        ),
        (good().without("redirect_uri"), "invalid_request"),
        (good().with("redirect_uri", &more), "invalid_request"),
        (
            good().with("response_type", "code id_token"),
            "unsupported_response_type",
        ),
        (
            good().with("response_type", "token"),
            "unsupported_response_type",
        ),
        (good().with("dpop_jkt", "short"), "invalid_request"),
    ];
    for (request, code) in table {
        refused(&app.push(&server, &request).await, &[code]);
    }
}

async fn only_post_pushes(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app.request("openid");
    let put = server.http.put(server.at("/par")).form(&request.pairs());
    assert_eq!(Reply::of(put).await.status, 405);
}

async fn a_long_state_and_nonce_come_back_whole(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    for (state, nonce) in [(1000, 384), (128, 64)] {
        let state = "aZ09-._~".repeat(state / 8);
        let nonce = "n".repeat(nonce);
        let request = app
            .request("openid")
            .with("state", &state)
            .with("nonce", &nonce);
        let reply = app.push(&server, &request).await;
        let answer = app.walk(&server, (&request, &reply), &ada).await;
        assert_eq!(answer.get("state"), state);
        let code = answer.code();
        let form = request.redemption(&app.app, &code);
        let tokens = app.post(&server, "/token", &form).await.ok();
        let id = tokens["id_token"].as_str().unwrap();
        let id = crate::support::jwt::verify(&server, id).await;
        assert_eq!(id.claims["nonce"], nonce);
        assert_eq!(format!("{:?}", id.header.alg), "ES256");
    }
}

async fn a_person_who_refuses_sends_the_error_state_and_issuer(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app.request("openid");
    let reply = app.push(&server, &request).await;
    let short = super::short(&app.app, &request, reply.text("request_uri"));
    let mut browser = server.browser();
    let page = browser.begin(&server, &short).await;
    let cancel = page.form("/cancel").unwrap();
    let answer = Answer::of(&browser.post(&cancel, &[]).await);
    assert_eq!(answer.error(), "access_denied");
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    let known = ["error", "error_description", "error_uri", "state", "iss"];
    assert!(
        answer
            .params
            .keys()
            .all(|name| known.contains(&name.as_str()))
    );
}

async fn a_key_that_is_named_must_be_the_one_that_is_shown(server: TestServer) {
    let app = partner(&server, "app").await;
    let other = Holder::new();
    let named = app.request("openid").with("dpop_jkt", &other.jkt);
    let reply = app.post(&server, "/par", &named.pairs()).await;
    refused(&reply, &["invalid_dpop_proof"]);
    let named = app.request("openid").with("dpop_jkt", &app.holder.jkt);
    let reply = app.post(&server, "/par", &named.pairs()).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    // A proof for another endpoint is none for this one, and none is good twice.
    let wrong = app.holder.proof(&server, "/token");
    let once = app.holder.proof(&server, "/par");
    for (proof, status) in [(wrong, 400), (once.clone(), 201), (once, 400)] {
        let pairs = named.pairs();
        let assertion = app.assertion(&server);
        let reply = app
            .ask(&server, ("/par", &pairs), &assertion, &[proof])
            .await;
        assert_eq!(reply.status, status, "{}", reply.body);
    }
}

async fn a_request_belongs_to_the_client_that_pushed_it(server: TestServer) {
    let app = partner(&server, "app").await;
    let other = partner_with(&server, Spec::with_key("other")).await;
    let request = app.request("openid");
    let reply = app.push(&server, &request).await;
    let foreign = super::short(&other.app, &request, reply.text("request_uri"));
    let page = server.browser().begin(&server, &foreign).await;
    assert_eq!(page.status, 400, "{}", page.body);
    // Somebody without authentication pushes nothing in its name.
    let reply = send(&server, "/par", &request.pairs(), &[]).await;
    reply.refused(401, "invalid_client");
}
