//! The token endpoint of the profile: codes, refresh tokens and keys (RFC 9449 §5, §10; FAPI 2.0
//! Security Profile §5.3.2.1).

use std::sync::Arc;

use countersign::flows::follow;
use serde_json::json;

use super::{Holder, partner, refused, send, text};
use crate::support::{AuthRequest, ClientApp, Spec, TestServer, jwt, race};

on_both![
    tokens_are_bound_to_the_key_of_the_proof,
    a_request_without_a_proof_gets_no_token,
    a_code_lives_for_a_minute_and_is_good_once,
    a_code_belongs_to_its_client_and_its_verifier,
    a_code_is_bound_to_the_key_that_the_request_named_or_showed,
    a_confidential_client_refreshes_with_a_new_key_and_the_same_token,
    a_refresh_token_is_of_no_use_to_others,
    a_public_client_keeps_one_refresh_token_bound_to_its_key,
    a_jwt_says_what_it_is_bound_to,
    a_proof_is_good_once_even_for_fifty_at_a_time,
    a_client_without_the_profile_may_use_proofs_or_be_held_to_them,
    where_a_signing_key_is_missing_nothing_is_spent,
];

const OWN: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

async fn tokens_are_bound_to_the_key_of_the_proof(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let tokens = app
        .tokens(&server, "openid offline_access accounts:read", &ada)
        .await;
    assert_eq!(tokens["token_type"], "DPoP");
    assert!(!text(&tokens, "refresh_token").is_empty());
    let seen = server
        .accounts
        .introspect(&server, text(&tokens, "access_token"))
        .await;
    assert_eq!(seen["token_type"], "DPoP");
    assert_eq!(seen["cnf"], json!({ "jkt": app.holder.jkt }));
    let own = app.post(&server, "/token", &OWN).await;
    assert!(own.header("cache-control").contains("no-store"));
    let own = own.ok();
    assert_eq!(own["token_type"], "DPoP");
    assert!(own.get("refresh_token").is_none());
    assert!(own.get("id_token").is_none());
}

async fn a_request_without_a_proof_gets_no_token(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    refused(
        &app.bare(&server, "/token", &OWN).await,
        &["invalid_request"],
    );
    let request = app.request("openid");
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    refused(
        &app.bare(&server, "/token", &form).await,
        &["invalid_request"],
    );
    // Two proofs are none, and neither is another's.
    let proofs = [
        app.holder.proof(&server, "/token"),
        app.holder.proof(&server, "/token"),
    ];
    let assertion = app.assertion(&server);
    let reply = app
        .ask(&server, ("/token", &form), &assertion, &proofs)
        .await;
    refused(&reply, &["invalid_dpop_proof"]);
    let mut claims = Holder::claims(&server, "GET", "/token");
    for htm in ["GET", "post"] {
        claims["htm"] = htm.into();
        let proof = app.holder.sign(&app.holder.header(), &claims);
        let assertion = app.assertion(&server);
        let reply = app
            .ask(&server, ("/token", &form), &assertion, &[proof])
            .await;
        refused(&reply, &["invalid_dpop_proof"]);
    }
    // Nothing of this spent the code.
    app.post(&server, "/token", &form).await.ok();
}

async fn a_code_lives_for_a_minute_and_is_good_once(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let request = app.request("openid accounts:read");
    let code = app.code(&server, &request, &ada).await;
    server.advance(62);
    let form = request.redemption(&app.app, &code);
    refused(
        &app.post(&server, "/token", &form).await,
        &["invalid_grant"],
    );
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    let tokens = app.post(&server, "/token", &form).await.ok();
    server.advance(1);
    refused(
        &app.post(&server, "/token", &form).await,
        &["invalid_grant"],
    );
    let token = text(&tokens, "access_token");
    assert!(!server.accounts.sees(&server, token).await);
}

async fn a_code_belongs_to_its_client_and_its_verifier(server: TestServer) {
    let app = partner(&server, "app").await;
    let other = partner(&server, "other").await;
    let ada = server.person("ada").await;
    let request = app.request("openid");
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    refused(
        &other.post(&server, "/token", &form).await,
        &["invalid_grant"],
    );
    let without: Vec<_> = form
        .iter()
        .filter(|(name, _)| *name != "code_verifier")
        .copied()
        .collect();
    refused(
        &app.post(&server, "/token", &without).await,
        &["invalid_grant"],
    );
    let wrong = "x".repeat(43);
    let mut with = without;
    with.push(("code_verifier", &wrong));
    refused(
        &app.post(&server, "/token", &with).await,
        &["invalid_grant"],
    );
    app.post(&server, "/token", &form).await.ok();
}

async fn a_code_is_bound_to_the_key_that_the_request_named_or_showed(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let other = Holder::new();
    for shown in [true, false] {
        let mut request = app.request("openid");
        let reply = if shown {
            app.post(&server, "/par", &request.pairs()).await
        } else {
            request = request.with("dpop_jkt", &app.holder.jkt);
            app.push(&server, &request).await
        };
        let code = app.walk(&server, (&request, &reply), &ada).await.code();
        let form = request.redemption(&app.app, &code);
        let proof = other.proof(&server, "/token");
        let assertion = app.assertion(&server);
        let reply = app
            .ask(&server, ("/token", &form), &assertion, &[proof])
            .await;
        refused(&reply, &["invalid_grant", "invalid_dpop_proof"]);
        app.post(&server, "/token", &form).await.ok();
    }
}

async fn a_confidential_client_refreshes_with_a_new_key_and_the_same_token(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let tokens = app.tokens(&server, "openid accounts:read", &ada).await;
    let refresh = text(&tokens, "refresh_token").to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    for round in 0..3 {
        server.advance(31);
        let holder = Holder::new();
        let assertion = app.assertion(&server);
        let proof = holder.proof(&server, "/token");
        let mut form = form.to_vec();
        if round == 1 {
            form.push(("scope", "openid accounts:read"));
        }
        let again = app
            .ask(&server, ("/token", &form), &assertion, &[proof])
            .await
            .ok();
        assert_eq!(text(&again, "refresh_token"), refresh, "it does not rotate");
        let seen = server
            .accounts
            .introspect(&server, text(&again, "access_token"))
            .await;
        assert_eq!(seen["cnf"]["jkt"], holder.jkt.as_str());
        let first = jwt::verify(&server, text(&tokens, "id_token")).await.claims;
        let next = jwt::verify(&server, text(&again, "id_token")).await.claims;
        for name in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(first[name], next[name], "{name}");
        }
        assert!(next["iat"].as_i64() > first["iat"].as_i64());
    }
}

async fn a_refresh_token_is_of_no_use_to_others(server: TestServer) {
    let app = partner(&server, "app").await;
    let other = partner(&server, "other").await;
    let ada = server.person("ada").await;
    let tokens = app.tokens(&server, "openid", &ada).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    refused(
        &other.post(&server, "/token", &form).await,
        &["invalid_grant"],
    );
    let proof = app.holder.proof(&server, "/token");
    let nobody = [form[0], form[1], ("client_id", "app")];
    refused(
        &send(&server, "/token", &nobody, &[proof]).await,
        &["invalid_client"],
    );
    refused(
        &app.bare(&server, "/token", &form).await,
        &["invalid_request"],
    );
    app.post(&server, "/token", &form).await.ok();
}

/// Asks as a client without authentication.
async fn publicly(
    server: &TestServer,
    app: &ClientApp,
    form: &[(&str, &str)],
    holder: Option<&Holder>,
) -> crate::support::Reply {
    let mut form = form.to_vec();
    form.push(("client_id", &app.id));
    let proofs: Vec<_> = holder
        .iter()
        .map(|one| one.proof(server, "/token"))
        .collect();
    send(server, "/token", &form, &proofs).await
}

async fn a_public_client_keeps_one_refresh_token_bound_to_its_key(server: TestServer) {
    let app = server.register(Spec::public("phone")).await;
    let ada = server.person("ada").await;
    let holder = Holder::new();
    let request = AuthRequest::new(&app, "openid accounts:read").with("dpop_jkt", &holder.jkt);
    let mut browser = server.browser();
    let code = browser.walk(&server, &request, &ada).await.code();
    let form = request.redemption(&app, &code);
    let stripped = publicly(&server, &app, &form, None).await;
    refused(&stripped, &["invalid_grant"]);
    let tokens = publicly(&server, &app, &form, Some(&holder)).await.ok();
    assert_eq!(tokens["token_type"], "DPoP");
    let refresh = text(&tokens, "refresh_token").to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let thief = Holder::new();
    for wrong in [None, Some(&thief)] {
        let reply = publicly(&server, &app, &form, wrong).await;
        refused(&reply, &["invalid_grant"]);
    }
    for _ in 0..2 {
        server.advance(31);
        let again = publicly(&server, &app, &form, Some(&holder)).await.ok();
        assert_eq!(text(&again, "refresh_token"), refresh, "it does not rotate");
        assert_eq!(again["token_type"], "DPoP");
    }
}

async fn a_jwt_says_what_it_is_bound_to(server: TestServer) {
    let app = partner(&server, "app").await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "cards:read"),
    ];
    let tokens = app.post(&server, "/token", &form).await.ok();
    let token = text(&tokens, "access_token");
    let jwt = jwt::verify(&server, token).await;
    assert_eq!(jwt.claims["cnf"], json!({ "jkt": app.holder.jkt }));
    let seen = server.cards.introspect(&server, token).await;
    assert_eq!(seen["cnf"]["jkt"], app.holder.jkt.as_str());
    assert_eq!(seen["token_type"], "DPoP");
}

async fn a_proof_is_good_once_even_for_fifty_at_a_time(server: TestServer) {
    let server = Arc::new(server);
    let app = partner(&server, "app").await;
    let proof = app.holder.proof(&server, "/token");
    let assertions: Vec<_> = (0..50).map(|_| app.assertion(&server)).collect();
    let replies = race(50, |n| {
        let (server, proof) = (Arc::clone(&server), proof.clone());
        let assertion = assertions[n].clone();
        async move {
            let form = [
                OWN[0],
                OWN[1],
                ("client_assertion_type", jwt::ASSERTION_TYPE),
                ("client_assertion", &assertion),
            ];
            send(&server, "/token", &form, &[proof]).await
        }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(won.len(), 1);
    for reply in lost {
        refused(reply, &["invalid_dpop_proof"]);
    }
}

async fn a_client_without_the_profile_may_use_proofs_or_be_held_to_them(server: TestServer) {
    let free = server.register(Spec::confidential("free")).await;
    let mut spec = Spec::confidential("held");
    spec.metadata.dpop_bound_access_tokens = true;
    let held = server.register(spec).await;
    let bearer = free.client_credentials(&server, "accounts:read").await.ok();
    assert_eq!(bearer["token_type"], "Bearer");
    let reply = held.client_credentials(&server, "accounts:read").await;
    refused(&reply, &["invalid_request"]);
    let holder = Holder::new();
    for app in [free, held] {
        let request = server.http.post(server.at("/token"));
        let request = request
            .header("authorization", app.basic())
            .header("DPoP", holder.proof(&server, "/token"));
        let tokens = crate::support::Reply::of(request.form(&OWN)).await.ok();
        assert_eq!(tokens["token_type"], "DPoP");
    }
}

async fn where_a_signing_key_is_missing_nothing_is_spent(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let request = app.request("openid offline_access accounts:read");
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    let own = [
        ("grant_type", "client_credentials"),
        ("scope", "cards:read"),
    ];
    let lose = || server.app.keys.replace(&[]).unwrap();
    lose();
    let spent = "SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL";
    for form in [form.as_slice(), &own] {
        let reply = app.post(&server, "/token", form).await;
        assert_eq!(reply.status, 503, "{}", reply.body);
    }
    assert_eq!(server.number(spent).await, 0);
    follow::load(&server.app).await.unwrap();
    let tokens = app.post(&server, "/token", &form).await.ok();
    // A signed answer that cannot be made costs no request either.
    let signed = request
        .with("response_mode", "query.jwt")
        .with("prompt", "none");
    let pushed = app.push(&server, &signed).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let brought = super::short(&app.app, &signed, pushed.text("request_uri"));
    lose();
    let page = browser.begin(&server, &brought).await;
    assert_eq!(page.status, 503, "{page:?}");
    follow::load(&server.app).await.unwrap();
    let page = browser.begin(&server, &brought).await;
    assert!(page.location().contains("response="), "{page:?}");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    lose();
    assert_eq!(app.post(&server, "/token", &form).await.status, 503);
    follow::load(&server.app).await.unwrap();
    app.post(&server, "/token", &form).await.ok();
}
