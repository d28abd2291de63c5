//! Request objects that are signed and then encrypted to a key of this server (RFC 9101 §6.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::flows::rotate_keys;
use rules::jose::jwe::{self, DecryptionKey, Enc, EncryptionJwk, KeyAlg};
use rules::protocol::client_metadata::Metadata;
use serde_json::{Value, json};

use super::signed::object;
use super::{Partner, partner, partner_with, refused};
use crate::support::server::caller;
use crate::support::{Reply, Spec, TestServer};

on_both![
    an_encrypted_request_leads_to_a_code,
    whatever_is_wrong_with_the_encryption_the_answer_is_the_same,
    what_is_inside_is_signed_by_its_client_or_nothing,
    what_is_inside_keeps_every_rule_of_a_signed_request,
    a_client_that_must_encrypt_cannot_leave_it,
    a_key_that_was_replaced_still_opens_for_a_day,
    encryption_keys_end_with_a_rotation_and_are_deleted,
    another_node_opens_what_was_encrypted_to_a_new_key,
    userinfo_is_encrypted_for_its_client_alone,
];

/// The published key for a way to encrypt.
async fn key(server: &TestServer, alg: KeyAlg) -> EncryptionJwk {
    let set = server.get("/jwks").await.ok();
    let mut keys = set["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["use"] == "enc" && key["alg"] == alg.as_str());
    serde_json::from_value(key.unwrap().clone()).unwrap()
}

async fn sealed(server: &TestServer, inside: &str, alg: KeyAlg) -> String {
    let to = key(server, alg).await;
    jwe::encrypt(inside.as_bytes(), &to, alg, Enc::A256Gcm, Some("JWT")).unwrap()
}

/// A good request, signed.
fn signed(server: &TestServer, app: &Partner) -> String {
    let claims = object(server, app, &app.request("openid"));
    app.app.assertion(&claims)
}

async fn push(server: &TestServer, app: &Partner, object: &str) -> Reply {
    app.bare(server, "/par", &[("request", object)]).await
}

#[track_caller]
fn taken(reply: &Reply) {
    assert_eq!(reply.status, 201, "{}", reply.body);
}

async fn an_encrypted_request_leads_to_a_code(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let metadata = server.get("/.well-known/openid-configuration").await.ok();
    for (alg, enc) in [
        (KeyAlg::EcdhEs, Enc::A256Gcm),
        (KeyAlg::EcdhEsA256Kw, Enc::A128Gcm),
        (KeyAlg::RsaOaep256, Enc::A256Gcm),
    ] {
        let offers = |name: &str, value: &str| {
            let values = metadata[name].as_array().unwrap();
            assert!(values.contains(&value.into()), "{name} {value}");
        };
        offers(
            "request_object_encryption_alg_values_supported",
            alg.as_str(),
        );
        offers(
            "request_object_encryption_enc_values_supported",
            enc.as_str(),
        );
        let request = app.request("openid accounts:read");
        let signed = app.app.assertion(&object(&server, &app, &request));
        let to = key(&server, alg).await;
        let object = jwe::encrypt(signed.as_bytes(), &to, alg, enc, Some("JWT")).unwrap();
        let reply = push(&server, &app, &object).await;
        let answer = app.walk(&server, (&request, &reply), &ada).await;
        let code = answer.code();
        let form = request.redemption(&app.app, &code);
        app.post(&server, "/token", &form).await.ok();
    }
}

/// RFC 7516 §11.5, §10.10: nobody learns from the answer how far it was decrypted.
async fn whatever_is_wrong_with_the_encryption_the_answer_is_the_same(server: TestServer) {
    let app = partner(&server, "app").await;
    let inside = signed(&server, &app);
    let mut answers = Vec::new();
    for alg in [KeyAlg::EcdhEs, KeyAlg::RsaOaep256] {
        let good = sealed(&server, &inside, alg).await;
        let parts: Vec<&str> = good.split('.').collect();
        let with = |at: usize, part: &str| {
            let mut all = parts.clone();
            all[at] = part;
            all.join(".")
        };
        let header = |change: Value| {
            let bytes = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
            let mut members: Value = serde_json::from_slice(&bytes).unwrap();
            for (name, value) in change.as_object().unwrap() {
                members[name] = value.clone();
            }
            with(0, &URL_SAFE_NO_PAD.encode(members.to_string()))
        };
        let flipped = |at: usize| {
            let mut bytes = URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
            bytes[0] ^= 1;
            with(at, &URL_SAFE_NO_PAD.encode(bytes))
        };
        let foreign = DecryptionKey::generate(alg).unwrap();
        let to = foreign.public_jwk();
        let foreign = jwe::encrypt(inside.as_bytes(), to, alg, Enc::A256Gcm, None).unwrap();
        let mut wrong = vec![
            foreign,
            header(json!({"zip": "DEF"})),
            header(json!({"crit": ["exp"], "exp": 1})),
            header(json!({"kid": "another"})),
            header(json!({"enc": "A128GCM"})),
            header(json!({"enc": "A128CBC-HS256"})),
            header(json!({"alg": "RSA1_5"})),
            header(json!({"alg": "dir"})),
            with(0, "e30"),
            with(0, ""),
            with(1, "AAAA"),
            with(2, "AAAA"),
            with(3, ""),
            with(4, "AAAA"),
            flipped(2),
            flipped(3),
            flipped(4),
            "....".to_owned(),
        ];
        if alg == KeyAlg::RsaOaep256 {
            // A wrong padding, and a key of another length.
            wrong.push(flipped(1));
            wrong.push(with(1, &URL_SAFE_NO_PAD.encode([1; 256])));
        }
        for object in wrong {
            let reply = push(&server, &app, &object).await;
            refused(&reply, &["invalid_request_object"]);
            answers.push(reply.text("error_description").to_owned());
        }
        taken(&push(&server, &app, &good).await);
        let long = sealed(&server, &"x".repeat(16 * 1024), alg).await;
        refused(&push(&server, &app, &long).await, &["invalid_request"]);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

async fn what_is_inside_is_signed_by_its_client_or_nothing(server: TestServer) {
    let app = partner(&server, "app").await;
    let other = partner(&server, "other").await;
    let claims = object(&server, &app, &app.request("openid"));
    let good = app.app.assertion(&claims);
    let payload = good.split('.').nth(1).unwrap();
    let mut answers = Vec::new();
    for inside in [
        claims.to_string(),
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        other.app.assertion(&claims),
        sealed(&server, &good, KeyAlg::EcdhEs).await,
        String::new(),
    ] {
        let object = sealed(&server, &inside, KeyAlg::EcdhEs).await;
        let reply = push(&server, &app, &object).await;
        refused(&reply, &["invalid_request_object"]);
        answers.push(reply.text("error_description").to_owned());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let to = key(&server, KeyAlg::EcdhEs).await;
    let binary = jwe::encrypt(&[0xff; 40], &to, KeyAlg::EcdhEs, Enc::A256Gcm, None).unwrap();
    let reply = push(&server, &app, &binary).await;
    refused(&reply, &["invalid_request_object"]);
    assert_eq!(reply.text("error_description"), answers[0]);
    // Who only found it sends it in vain, and reads nothing of it in the answer.
    let found = sealed(&server, &good, KeyAlg::RsaOaep256).await;
    let reply = push(&server, &other, &found).await;
    refused(&reply, &["invalid_request_object"]);
    assert_eq!(reply.text("error_description"), answers[0]);
    // What says that it is something else is no request.
    let wrong = jwe::encrypt(
        good.as_bytes(),
        &to,
        KeyAlg::EcdhEs,
        Enc::A256Gcm,
        Some("jwk"),
    );
    let reply = push(&server, &app, &wrong.unwrap()).await;
    refused(&reply, &["invalid_request_object"]);
}

async fn what_is_inside_keeps_every_rule_of_a_signed_request(server: TestServer) {
    let app = partner(&server, "app").await;
    let good = object(&server, &app, &app.request("openid"));
    for (name, value) in [
        ("aud", json!("https://other.example")),
        ("exp", json!(server.now() - 3600)),
        ("iss", json!("other")),
        ("request_uri", json!("urn:ietf:params:oauth:request_uri:x")),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let object = sealed(&server, &app.app.assertion(&claims), KeyAlg::EcdhEs).await;
        refused(
            &push(&server, &app, &object).await,
            &["invalid_request_object"],
        );
    }
}

async fn a_client_that_must_encrypt_cannot_leave_it(server: TestServer) {
    let spec = |enc| {
        let mut spec = Spec::with_key("app");
        spec.metadata.request_object_encryption_alg = Some(KeyAlg::EcdhEs);
        spec.metadata.request_object_encryption_enc = enc;
        spec
    };
    let unnamed = crate::support::apps::try_register(&server.app, spec(None)).await;
    let told = format!("{:?}", unnamed.err().unwrap());
    assert!(told.contains("request_object_encryption_enc"), "{told}");
    let app = partner_with(&server, spec(Some(Enc::A256Gcm))).await;
    let plain = app.push(&server, &app.request("openid")).await;
    plain.refused(400, "invalid_request");
    let inside = signed(&server, &app);
    let to = key(&server, KeyAlg::EcdhEs).await;
    let weaker = jwe::encrypt(inside.as_bytes(), &to, KeyAlg::EcdhEs, Enc::A128Gcm, None);
    for wrong in [
        inside.clone(),
        weaker.unwrap(),
        sealed(&server, &inside, KeyAlg::EcdhEsA256Kw).await,
        sealed(&server, &inside, KeyAlg::RsaOaep256).await,
    ] {
        refused(
            &push(&server, &app, &wrong).await,
            &["invalid_request_object"],
        );
    }
    let object = sealed(&server, &inside, KeyAlg::EcdhEs).await;
    taken(&push(&server, &app, &object).await);
    // Nor at the front door.
    let mut browser = server.browser();
    let request = app.request("openid");
    let answer = crate::support::Answer::of(&browser.get(&request.url(&server)).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn a_key_that_was_replaced_still_opens_for_a_day(server: TestServer) {
    let app = partner(&server, "app").await;
    for alg in [KeyAlg::EcdhEs, KeyAlg::RsaOaep256] {
        let old = key(&server, alg).await;
        let to_old = |inside: &str| {
            jwe::encrypt(inside.as_bytes(), &old, alg, Enc::A256Gcm, Some("JWT")).unwrap()
        };
        rotate_keys::rotate(&server.app, alg, &caller())
            .await
            .unwrap();
        assert_ne!(key(&server, alg).await.thumbprint(), old.thumbprint());
        server.advance(24 * 3600 - 1);
        taken(&push(&server, &app, &to_old(&signed(&server, &app))).await);
        server.advance(1);
        let reply = push(&server, &app, &to_old(&signed(&server, &app))).await;
        refused(&reply, &["invalid_request_object"]);
        let object = sealed(&server, &signed(&server, &app), alg).await;
        taken(&push(&server, &app, &object).await);
    }
}

async fn encryption_keys_end_with_a_rotation_and_are_deleted(server: TestServer) {
    let alg = KeyAlg::EcdhEsA256Kw;
    let retiring = "SELECT COUNT(*) FROM encryption_keys WHERE state = 'retiring'";
    let all = "SELECT COUNT(*) FROM encryption_keys";
    assert_eq!(server.number(all).await, 6);
    rotate_keys::rotate(&server.app, alg, &caller())
        .await
        .unwrap();
    assert_eq!(server.number(retiring).await, 1);
    rotate_keys::retire(&server.app).await.unwrap();
    assert_eq!(server.number(all).await, 7, "it may still be needed");
    server.advance(24 * 3600 + 1);
    rotate_keys::retire(&server.app).await.unwrap();
    assert_eq!(server.number(all).await, 6);
    assert_eq!(server.number(retiring).await, 0);
    let listed = rotate_keys::list(&server.app).await.unwrap();
    let own = listed.iter().filter(|key| key.alg == alg.into());
    let states: Vec<_> = own.map(|key| key.state.as_str()).collect();
    assert_eq!(states.len(), 2, "{states:?}");
}

/// A node that has not heard of the rotation knows the next key already.
async fn another_node_opens_what_was_encrypted_to_a_new_key(server: TestServer) {
    let app = partner(&server, "app").await;
    let keys = server.app.keys.now();
    rotate_keys::rotate(&server.app, KeyAlg::EcdhEs, &caller())
        .await
        .unwrap();
    let new = key(&server, KeyAlg::EcdhEs).await;
    let object = jwe::encrypt(b"x", &new, KeyAlg::EcdhEs, Enc::A256Gcm, None).unwrap();
    let before = keys.decrypting(server.app.clock.now());
    assert!(jwe::decrypt(&object, &before).is_ok());
    let reply = push(&server, &app, &object).await;
    refused(&reply, &["invalid_request_object"]);
}

async fn userinfo_is_encrypted_for_its_client_alone(server: TestServer) {
    let ada = server.person("ada").await;
    let key = DecryptionKey::generate(KeyAlg::EcdhEs).unwrap();
    for (id, alg) in [("bare", None), ("nested", Some(rules::jose::Alg::Es256))] {
        let spec = |encryption_keys| {
            Spec::confidential(id).metadata(Metadata {
                userinfo_signed_response_alg: alg,
                userinfo_encrypted_response_alg: Some(KeyAlg::EcdhEs),
                userinfo_encrypted_response_enc: Some(Enc::A256Gcm),
                encryption_keys,
                ..Metadata::default()
            })
        };
        let without = crate::support::apps::try_register(&server.app, spec(Vec::new())).await;
        assert!(without.is_err(), "there is no key to encrypt to");
        let app = server.register(spec(vec![key.public_jwk().clone()])).await;
        let mut browser = server.browser();
        let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
        let bearer = format!("Bearer {}", tokens.access);
        let reply = super::userinfo(&server, &bearer, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("content-type"), "application/jwt");
        let opened = jwe::decrypt(&reply.body, std::slice::from_ref(&key)).unwrap();
        let inside = String::from_utf8(opened.plaintext).unwrap();
        let claims = if alg.is_some() {
            assert_eq!(opened.cty.as_deref(), Some("JWT"));
            crate::support::jwt::verify(&server, &inside).await.claims
        } else {
            serde_json::from_str(&inside).unwrap()
        };
        assert_eq!(claims["sub"], ada.id.to_string());
    }
}
