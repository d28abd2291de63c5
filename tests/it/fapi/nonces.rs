//! Nonces of this server in proofs (RFC 9449 §8, §9).

use super::{Holder, Partner, partner_with, text, userinfo, with_ath};
use crate::support::{Reply, Spec, TestServer};

on_both![
    a_client_is_told_to_use_a_nonce_and_then_gets_its_token,
    a_nonce_that_is_old_or_made_up_is_replaced,
    userinfo_asks_for_a_nonce_by_challenge,
    a_nonce_of_middle_age_comes_with_its_successor,
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

async fn with_nonce(server: &TestServer, app: &Partner, nonce: &str) -> Reply {
    let mut claims = Holder::claims(server, "POST", "/token");
    claims["nonce"] = nonce.into();
    let proof = app.holder.sign(&app.holder.header(), &claims);
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
