//! Nonces of this server in proofs (RFC 9449 §8, §9).

use std::sync::Arc;

use super::{Holder, Partner, partner_with, send, text, userinfo, with_ath};
use crate::support::{Reply, Spec, TestServer, jwt, race};

on_both![
    a_client_is_told_to_use_a_nonce_and_then_gets_its_token,
    a_nonce_that_is_old_or_made_up_is_replaced,
    userinfo_asks_for_a_nonce_by_challenge,
    a_nonce_of_middle_age_comes_with_its_successor,
    who_is_told_to_use_a_nonce_may_send_the_same_assertion_and_it_is_good_once,
    an_assertion_that_was_taken_with_a_wrong_proof_is_spent,
];

const OWN: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

async fn strict(server: &TestServer) -> Partner {
    let mut spec = Spec::with_key("app");
    spec.metadata.dpop_nonces = Some(true);
    partner_with(server, spec).await
}

/// A proof with this nonce.
fn proof(server: &TestServer, app: &Partner, (path, nonce): (&str, &str)) -> String {
    let mut claims = Holder::claims(server, "POST", path);
    claims["nonce"] = nonce.into();
    app.holder.sign(&app.holder.header(), &claims)
}

async fn with_nonce(server: &TestServer, app: &Partner, nonce: &str) -> Reply {
    let proof = proof(server, app, ("/token", nonce));
    let assertion = app.assertion(server);
    app.ask(server, ("/token", &OWN), &assertion, &[proof])
        .await
}

/// The one nonce of an answer.
#[track_caller]
fn nonce(reply: &Reply) -> String {
    let all: Vec<_> = reply.headers.get_all("dpop-nonce").iter().collect();
    assert_eq!(all.len(), 1, "{reply:?}");
    let nonce = all[0].to_str().unwrap();
    let permitted = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(nonce.bytes().all(permitted), "{nonce}");
    nonce.to_owned()
}

async fn a_client_is_told_to_use_a_nonce_and_then_gets_its_token(server: TestServer) {
    let app = strict(&server).await;
    let told = app.post(&server, "/token", &OWN).await;
    told.refused(400, "use_dpop_nonce");
    let given = nonce(&told);
    with_nonce(&server, &app, &given).await.ok();
    // The same nonce serves the next requests, at the pushing endpoint too.
    with_nonce(&server, &app, &given).await.ok();
    let request = app.request("openid");
    let told = app.post(&server, "/par", &request.pairs()).await;
    told.refused(400, "use_dpop_nonce");
    nonce(&told);
}

async fn a_nonce_that_is_old_or_made_up_is_replaced(server: TestServer) {
    let app = strict(&server).await;
    let given = nonce(&app.post(&server, "/token", &OWN).await);
    let mut forged = given.clone().into_bytes();
    forged[12] = if forged[12] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for wrong in [forged.as_str(), "", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let told = with_nonce(&server, &app, wrong).await;
        told.refused(400, "use_dpop_nonce");
        nonce(&told);
    }
    server.advance(301);
    let told = with_nonce(&server, &app, &given).await;
    told.refused(400, "use_dpop_nonce");
    assert_ne!(nonce(&told), given);
}

async fn userinfo_asks_for_a_nonce_by_challenge(server: TestServer) {
    let app = strict(&server).await;
    let ada = server.person("ada").await;
    let request = app.request("openid");
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    let told = app.post(&server, "/token", &form).await;
    let mut claims = Holder::claims(&server, "POST", "/token");
    claims["nonce"] = nonce(&told).into();
    let proof = app.holder.sign(&app.holder.header(), &claims);
    let assertion = app.assertion(&server);
    let tokens = app
        .ask(&server, ("/token", &form), &assertion, &[proof])
        .await
        .ok();
    let token = text(&tokens, "access_token");
    let authorization = format!("DPoP {token}");
    let proof = app.holder.with_token(&server, token);
    let told = userinfo(&server, &authorization, &[proof]).await;
    assert_eq!(told.status, 401, "{}", told.body);
    let challenge = told.header("www-authenticate");
    assert!(
        challenge.starts_with("DPoP ") && challenge.contains("error=\"use_dpop_nonce\""),
        "{challenge}"
    );
    let mut claims = with_ath(&server, token);
    claims["nonce"] = nonce(&told).into();
    let proof = app.holder.sign(&app.holder.header(), &claims);
    userinfo(&server, &authorization, &[proof]).await.ok();
}

async fn a_nonce_of_middle_age_comes_with_its_successor(server: TestServer) {
    let app = strict(&server).await;
    let first = nonce(&app.post(&server, "/token", &OWN).await);
    let fresh = with_nonce(&server, &app, &first).await;
    assert_eq!(fresh.header("dpop-nonce"), "", "there is no need yet");
    server.advance(200);
    let reply = with_nonce(&server, &app, &first).await;
    let next = nonce(&reply);
    reply.ok();
    assert_ne!(first, next);
    server.advance(200);
    with_nonce(&server, &app, &next).await.ok();
}

async fn who_is_told_to_use_a_nonce_may_send_the_same_assertion_and_it_is_good_once(
    server: TestServer,
) {
    let server = Arc::new(server);
    let app = Arc::new(strict(&server).await);
    let request = app.request("openid");
    for (path, form) in [("/token", OWN.to_vec()), ("/par", request.pairs())] {
        let assertion = app.assertion(&server);
        let bare = app.holder.proof(&server, path);
        let told = app.ask(&server, (path, &form), &assertion, &[bare]).await;
        told.refused(400, "use_dpop_nonce");
        let nonce = nonce(&told);
        let with = |nonce: &str| proof(&server, &app, (path, nonce));
        let proofs = [with(&nonce)];
        let taken = app.ask(&server, (path, &form), &assertion, &proofs).await;
        assert!(taken.status < 300, "{}", taken.body);
        // The third time it is a replay, with a nonce and with none.
        for proof in [with(&nonce), with("")] {
            let again = app.ask(&server, (path, &form), &assertion, &[proof]).await;
            let code = again.error();
            assert!(
                code == "invalid_client" || code == "use_dpop_nonce",
                "{again:?}"
            );
        }
        let proofs = [with(&nonce)];
        let again = app.ask(&server, (path, &form), &assertion, &proofs).await;
        again.refused(401, "invalid_client");
    }
    // Fifty at a time, each with a proof of its own.
    let nonce = nonce(&app.post(&server, "/token", &OWN).await);
    let assertion = app.assertion(&server);
    let replies = race(50, |_| {
        let (server, app) = (Arc::clone(&server), Arc::clone(&app));
        let (assertion, nonce) = (assertion.clone(), nonce.clone());
        async move {
            let form = [
                OWN[0],
                OWN[1],
                ("client_assertion_type", jwt::ASSERTION_TYPE),
                ("client_assertion", &assertion),
            ];
            let proof = proof(&server, &app, ("/token", &nonce));
            send(&server, "/token", &form, &[proof]).await
        }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.refused(401, "invalid_client");
    }
}

async fn an_assertion_that_was_taken_with_a_wrong_proof_is_spent(server: TestServer) {
    let app = strict(&server).await;
    let given = nonce(&app.post(&server, "/token", &OWN).await);
    let assertion = app.assertion(&server);
    let elsewhere = proof(&server, &app, ("/par", &given));
    let ask = |proof| {
        app.ask(
            &server,
            ("/token", &OWN),
            &assertion,
            std::slice::from_ref(proof),
        )
    };
    ask(&elsewhere).await.refused(400, "invalid_dpop_proof");
    let right = proof(&server, &app, ("/token", &given));
    ask(&right).await.refused(401, "invalid_client");
}
