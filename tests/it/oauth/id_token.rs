//! ID tokens (OpenID Connect Core §2), verified by another implementation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use rules::jose::Alg;
use rules::protocol::Metadata;

use crate::support::{AuthRequest, Spec, TestServer, jwt};

on_both![
    an_encrypted_id_token_is_for_its_client_alone,
    it_says_who_signed_in_how_and_when,
    it_is_signed_as_the_client_registered,
    a_client_may_have_any_algorithm_that_fapi_permits_and_keys_are_made_for_it,
    a_nonce_is_repeated_only_when_sent,
    it_holds_no_claims_that_userinfo_tells,
    auth_time_is_when_the_person_signed_in,
    sid_names_the_session,
];

async fn it_says_who_signed_in_how_and_when(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    let jwt::Verified { header, claims } = jwt::verify(&server, &tokens.id).await;
    assert_eq!(
        header.alg,
        Algorithm::RS256,
        "OpenID Connect Registration §2"
    );
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert_eq!(claims["sub"], ada.id.to_string());
    assert_eq!(claims["aud"], "app");
    assert_eq!(claims["iat"], server.now());
    assert_eq!(claims["exp"], server.now() + 300);
    assert_eq!(claims["auth_time"], server.now());
    assert_eq!(claims["nonce"], request.get("nonce"));
    assert_eq!(claims["acr"], "urn:countersign:acr:2fa");
    let mut amr: Vec<_> = claims["amr"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m.as_str().unwrap())
        .collect();
    amr.sort_unstable();
    assert_eq!(amr, ["mfa", "otp", "pwd"]);
    assert!(!claims["sid"].as_str().unwrap().is_empty());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tokens.access.as_bytes());
    assert_eq!(
        claims["at_hash"],
        URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
    );
}

async fn a_client_may_have_any_algorithm_that_fapi_permits_and_keys_are_made_for_it(
    server: TestServer,
) {
    let ada = server.person("ada").await;
    for (alg, name, hashed) in [
        (Alg::Ps256, Algorithm::PS256, &aws_lc_rs::digest::SHA256),
        (Alg::EdDsa, Algorithm::EdDSA, &aws_lc_rs::digest::SHA512),
    ] {
        let before = server.get("/jwks").await.ok();
        let quoted = format!("\"{}\"", alg.as_str());
        assert!(!before.to_string().contains(&quoted), "{before}");
        let mut spec = Spec::confidential(&format!("app-{}", alg.as_str()));
        spec.alg = Some(alg);
        let app = server.register(spec).await;
        let request = AuthRequest::new(&app, "openid");
        let code = server.browser().walk(&server, &request, &ada).await.code();
        let tokens = request.redeem(&server, &app, &code).await;
        let jwt::Verified { header, claims } = jwt::verify(&server, &tokens.id).await;
        assert_eq!(header.alg, name);
        let digest = aws_lc_rs::digest::digest(hashed, tokens.access.as_bytes());
        let half = &digest.as_ref()[..digest.as_ref().len() / 2];
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(half));
        // It comes back as a hint (OpenID Connect Core §3.1.2.1).
        let hinted = AuthRequest::new(&app, "openid").with("id_token_hint", &tokens.id);
        let mut browser = server.browser();
        let code = browser.walk(&server, &hinted, &ada).await.code();
        assert!(!code.is_empty());
        // One that signs, and one that will.
        let after = server.get("/jwks").await.ok().to_string();
        assert_eq!(after.matches(&quoted).count(), 2, "{after}");
    }
}

async fn it_is_signed_as_the_client_registered(server: TestServer) {
    let mut spec = Spec::confidential("app");
    spec.alg = Some(Alg::Es256);
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid")
        .await;
    assert_eq!(
        jwt::verify(&server, &tokens.id).await.header.alg,
        Algorithm::ES256
    );
}

async fn a_nonce_is_repeated_only_when_sent(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid").without("nonce");
    let code = browser.walk(&server, &request, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert!(
        jwt::verify(&server, &tokens.id)
            .await
            .claims
            .get("nonce")
            .is_none()
    );
    let long = "n-._~".repeat(76);
    let request = AuthRequest::new(&app, "openid").with("nonce", &long);
    let code = browser.walk(&server, &request, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert_eq!(jwt::verify(&server, &tokens.id).await.claims["nonce"], long);
}

async fn it_holds_no_claims_that_userinfo_tells(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let scope = "openid profile email address phone";
    let tokens = server.browser().code_flow(&server, &app, &ada, scope).await;
    let claims = jwt::verify(&server, &tokens.id).await.claims;
    for name in ["name", "email", "address", "phone_number", "username"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
}

async fn auth_time_is_when_the_person_signed_in(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let signed_in = server.now();
    server.advance(600);
    let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
    let claims = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(
        (&claims["auth_time"], &claims["iat"]),
        (&signed_in.into(), &(signed_in + 600).into())
    );
}

async fn sid_names_the_session(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let (mut one, mut two) = (server.browser(), server.browser());
    let mut sids = Vec::new();
    for browser in [&mut one, &mut two] {
        for _ in 0..2 {
            let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
            let claims = jwt::verify(&server, &tokens.id).await.claims;
            sids.push(claims["sid"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(sids[0], sids[1]);
    assert_eq!(sids[2], sids[3]);
    assert_ne!(sids[0], sids[2]);
}

async fn an_encrypted_id_token_is_for_its_client_alone(server: TestServer) {
    use rules::jose::jwe::{self, DecryptionKey, Enc, KeyAlg};
    // The standard's default is another than what could be made here: it must be named.
    let key = DecryptionKey::generate(KeyAlg::EcdhEs).unwrap();
    let spec = Spec::confidential("silent").metadata(Metadata {
        id_token_encrypted_response_alg: Some(KeyAlg::EcdhEs),
        encryption_keys: vec![key.public_jwk().clone()],
        ..Metadata::default()
    });
    let refused = crate::support::apps::try_register(&server.app, spec).await;
    let told = format!("{:?}", refused.err().unwrap());
    assert!(told.contains("id_token_encrypted_response_enc"), "{told}");
    let ada = server.person("ada").await;
    for (id, alg, enc) in [
        ("agreed", KeyAlg::EcdhEs, Enc::A256Gcm),
        ("wrapped", KeyAlg::EcdhEsA256Kw, Enc::A128Gcm),
        ("rsa", KeyAlg::RsaOaep256, Enc::A256Gcm),
    ] {
        let key = DecryptionKey::generate(alg).unwrap();
        let spec = Spec::confidential(id).metadata(Metadata {
            id_token_encrypted_response_alg: Some(alg),
            id_token_encrypted_response_enc: Some(enc),
            encryption_keys: vec![key.public_jwk().clone()],
            ..Metadata::default()
        });
        let app = server.register(spec).await;
        let mut browser = server.browser();
        let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
        let stranger = DecryptionKey::generate(alg).unwrap();
        assert!(jwe::decrypt(&tokens.id, &[stranger]).is_err());
        let opened = jwe::decrypt(&tokens.id, &[key]).unwrap();
        assert_eq!(opened.alg, alg);
        assert_eq!(opened.enc, enc);
        assert_eq!(opened.cty.as_deref(), Some("JWT"));
        let inside = String::from_utf8(opened.plaintext).unwrap();
        let claims = jwt::verify(&server, &inside).await.claims;
        assert_eq!(claims["aud"], id);
        assert_eq!(claims["sub"], ada.id.to_string());
    }
}
