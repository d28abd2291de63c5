//! What clients read before anything else (RFC 8414, OpenID Connect Discovery, RFC 7517).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::TestServer;

on_both![
    request_objects_are_promised_where_they_are_taken,
    both_documents_say_the_same,
    the_document_says_what_is_true,
    every_endpoint_it_names_exists,
    the_key_set_holds_public_keys_only,
    a_document_that_is_known_is_not_sent_again,
    the_short_way_answers_as_the_router_does,
    a_rotated_key_stays_published_and_the_next_one_already_was,
];

fn list(document: &Value, name: &str) -> Vec<String> {
    let entries = document[name]
        .as_array()
        .unwrap_or_else(|| panic!("{name} is no list"));
    entries
        .iter()
        .map(|entry| entry.as_str().unwrap().to_owned())
        .collect()
}

async fn both_documents_say_the_same(server: TestServer) {
    let openid = server.get("/.well-known/openid-configuration").await;
    let oauth = server.get("/.well-known/oauth-authorization-server").await;
    assert!(
        openid
            .header("content-type")
            .starts_with("application/json")
    );
    assert_eq!(openid.ok(), oauth.ok());
}

async fn a_document_that_is_known_is_not_sent_again(server: TestServer) {
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let tag = server.get(path).await.header("etag").to_owned();
        let ask = async |known: &str| {
            let request = reqwest::Client::new().get(server.at(path));
            request.header("if-none-match", known).send().await.unwrap()
        };
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let answer = ask(&known).await;
            assert_eq!(answer.status(), 304, "{known}");
            assert_eq!(answer.headers()["etag"].to_str().unwrap(), tag);
            assert!(answer.headers().contains_key("cache-control"));
            assert_eq!(answer.bytes().await.unwrap().len(), 0);
        }
        assert_eq!(ask("\"another\"").await.status(), 200);
    }
    let before = server.get("/jwks").await.header("etag").to_owned();
    let caller = crate::support::server::caller();
    countersign::flows::rotate_keys::rotate(&server.app, rules::jose::Alg::Es256, &caller)
        .await
        .unwrap();
    assert_ne!(server.get("/jwks").await.header("etag"), before);
}

async fn the_short_way_answers_as_the_router_does(server: TestServer) {
    use tower::ServiceExt as _;
    let host = server.issuer.trim_start_matches("http://").to_owned();
    let kept = |headers: &axum::http::HeaderMap| {
        let other = |name: &str| !matches!(name, "date" | "x-request-id");
        let all = headers.iter().filter(|(name, _)| other(name.as_str()));
        all.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect::<BTreeSet<_>>()
    };
    for (method, path) in [
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/jwks"),
        ("POST", "/par"),
        ("POST", "/token"),
        ("POST", "/revoke"),
        ("POST", "/introspect"),
    ] {
        let routed = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", &host)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(axum::body::Body::from("client_id=nobody"))
            .unwrap();
        let router = countersign::http::router(std::sync::Arc::clone(&server.app));
        let routed = router.oneshot(routed).await.unwrap();
        let short = reqwest::Client::new()
            .request(method.parse().unwrap(), server.at(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("client_id=nobody")
            .send()
            .await
            .unwrap();
        assert_eq!(short.status(), routed.status(), "{path}");
        let mut expected = kept(routed.headers());
        let mut found = kept(short.headers());
        for headers in [&mut expected, &mut found] {
            headers.retain(|line| !line.starts_with("content-length"));
        }
        assert_eq!(found, expected, "{path}");
    }
}

async fn the_document_says_what_is_true(server: TestServer) {
    let document = server.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(document["issuer"], server.issuer.as_str());
    assert_eq!(list(&document, "response_types_supported"), ["code"]);
    assert_eq!(
        list(&document, "code_challenge_methods_supported"),
        ["S256"]
    );
    assert_eq!(
        document["authorization_response_iss_parameter_supported"],
        true
    );
    let scopes = list(&document, "scopes_supported");
    for scope in ["openid", "accounts:read", "cards:read"] {
        assert!(scopes.iter().any(|known| known == scope), "{scope}");
    }
    for method in [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ] {
        let known = list(&document, "token_endpoint_auth_methods_supported");
        assert!(known.iter().any(|name| name == method), "{method}");
    }
    let algs = list(&document, "id_token_signing_alg_values_supported");
    assert!(
        algs.contains(&"RS256".to_owned()),
        "OpenID Connect Discovery §3"
    );
    let signing = list(
        &document,
        "token_endpoint_auth_signing_alg_values_supported",
    );
    assert!(
        !signing
            .iter()
            .any(|alg| alg == "none" || alg.starts_with("HS"))
    );
}

async fn every_endpoint_it_names_exists(server: TestServer) {
    let document = server.get("/.well-known/openid-configuration").await.ok();
    let members = document.as_object().unwrap();
    let mut seen = 0;
    for (name, address) in members {
        if !name.ends_with("_endpoint") && name != "jwks_uri" {
            continue;
        }
        let address = address.as_str().unwrap();
        let path = address.strip_prefix(&server.issuer).unwrap();
        assert_ne!(server.get(path).await.status, 404, "{name}");
        seen += 1;
    }
    assert!(seen >= 7);
}

async fn the_key_set_holds_public_keys_only(server: TestServer) {
    let set = server.get("/jwks").await.ok();
    let keys = set["keys"].as_array().unwrap();
    let (mut kids, mut encrypt) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "{private} is published");
        }
        assert!(
            kids.insert(key["kid"].as_str().unwrap()),
            "two keys with one kid"
        );
        if key["use"] == "enc" {
            encrypt.insert(key["alg"].as_str().unwrap());
            continue;
        }
        assert_eq!(key["use"], "sig");
        match key["kty"].as_str().unwrap() {
            "EC" => assert_eq!(
                (&key["alg"], &key["crv"]),
                (&"ES256".into(), &"P-256".into())
            ),
            "RSA" => assert!(key["n"].as_str().unwrap().len() >= 2048 / 6),
            other => panic!("an unexpected kind of key: {other}"),
        }
    }
    let ways = ["ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256"];
    assert_eq!(encrypt, BTreeSet::from(ways), "each way has one key");
    assert!(
        kids.len() >= 7,
        "for each algorithm one that signs and one that will"
    );
}

async fn a_rotated_key_stays_published_and_the_next_one_already_was(server: TestServer) {
    use countersign::flows::rotate_keys;
    use rules::jose::Alg;
    let app = server
        .register(crate::support::Spec::confidential("app"))
        .await;
    let kids = async || -> BTreeSet<String> {
        let set = server.get("/jwks").await.ok();
        let keys = set["keys"].as_array().unwrap();
        keys.iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    let token = async || {
        let reply = app.client_credentials(&server, "cards:read").await.ok();
        reply["access_token"].as_str().unwrap().to_owned()
    };
    let (before, old) = (kids().await, token().await);
    let caller = crate::support::server::caller();
    rotate_keys::rotate(&server.app, Alg::Es256, &caller)
        .await
        .unwrap();
    let (after, new) = (kids().await, token().await);
    assert!(before.is_subset(&after), "nothing was withdrawn");
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert_ne!(kid(&old), kid(&new));
    assert!(
        before.contains(&kid(&new)),
        "the new key was published before it signed"
    );
    assert!(server.cards.sees(&server, &old).await && server.cards.sees(&server, &new).await);
}

/// They are pushed; at the authorization endpoint they are refused.
async fn request_objects_are_promised_where_they_are_taken(server: TestServer) {
    let told = server.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(told["request_parameter_supported"], false);
    assert_eq!(told["request_uri_parameter_supported"], false);
    let algs = told["request_object_signing_alg_values_supported"].as_array();
    assert!(algs.is_some_and(|algs| algs.iter().any(|alg| alg == "ES256")));
}
