//! `countersign demo --tls --fapi`: two apps with keys, two with certificates, and an API that takes
//! no token from whoever does not hold what it is bound to.

use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::Clock;
use reqwest::header::HeaderMap;
use rules::jose::{Alg, SigningKey};

use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::{Command, Demo, Folder, Visitor, free_base};
use crate::support::jwt;

const SUITE: &str = "https://suite.example/test/a/bank/callback?dummy1=lorem";
const FLAGS: [&str; 4] = ["--tls", "--fapi", "--redirect-uri", SUITE];

/// A client as `--json` tells of it.
fn client<'d>(demo: &'d Demo, id: &str) -> &'d Value {
    let clients = demo.told["clients"].as_array().unwrap();
    clients.iter().find(|one| one["client_id"] == id).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

/// A client over TLS that trusts the demo's authority alone; with a certificate of one of its clients.
fn http(demo: &Demo, certified: Option<&str>) -> reqwest::Client {
    let ca = std::fs::read(demo.told("/ca_file")).unwrap();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .no_proxy();
    if let Some(id) = certified {
        let pem: Vec<u8> = ["certificate_file", "key_file"]
            .into_iter()
            .flat_map(|name| {
                let path = text(client(demo, id), name);
                let mode = std::fs::metadata(path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{path}");
                std::fs::read(path).unwrap()
            })
            .collect();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).unwrap());
    }
    builder.build().unwrap()
}

/// Somebody who holds a key.
struct Holder(SigningKey);

impl Holder {
    fn new() -> Self {
        Self(SigningKey::generate(Alg::Es256).unwrap())
    }

    fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let mut claims = json!({
            "jti": jwt::random_id(), "htm": method, "htu": url, "iat": Clock::system().now().secs(),
        });
        if let Some(token) = token {
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
            claims["ath"] = URL_SAFE_NO_PAD.encode(hash).into();
        }
        self.0.sign_with_jwk("dpop+jwt", &claims).unwrap()
    }
}

/// The assertion of a client with keys, made of its private JWK.
fn assertion(demo: &Demo, id: &str) -> String {
    let now = Clock::system().now().secs();
    let claims = json!({
        "iss": id, "sub": id, "aud": demo.told("/issuer"), "jti": jwt::random_id(),
        "iat": now, "exp": now + 60,
    });
    signed(demo, id, &claims)
}

/// An authorization request of a client, signed with its private JWK (RFC 9101).
fn request_object(
    demo: &Demo,
    id: &str,
    form: &[(&'static str, String)],
    details: &Value,
) -> String {
    let now = Clock::system().now().secs();
    let mut claims = json!({
        "iss": id, "aud": demo.told("/issuer"), "nbf": now, "exp": now + 60,
        "authorization_details": details,
    });
    for (name, value) in form {
        claims[name] = value.as_str().into();
    }
    signed(demo, id, &claims)
}

fn signed(demo: &Demo, id: &str, claims: &Value) -> String {
    let jwk = &client(demo, id)["jwks"]["keys"][0];
    let part = |name: &str| URL_SAFE_NO_PAD.decode(text(jwk, name)).unwrap();
    let point = [vec![4], part("x"), part("y")].concat();
    let key = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &part("d"),
        &point,
    )
    .unwrap();
    let header = json!({ "alg": "ES256", "kid": jwk["kid"] });
    let input = [&header, claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// POSTs a form; gives status and JSON.
async fn post(ask: reqwest::RequestBuilder, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = ask.form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// Calls the API; gives status and headers.
async fn call(ask: reqwest::RequestBuilder) -> (StatusCode, HeaderMap) {
    let answer = ask.send().await.unwrap();
    (answer.status(), answer.headers().clone())
}

/// An authorization request of a client for the suite's address, with its verifier.
fn request(id: &str) -> (Vec<(&'static str, String)>, String) {
    let verifier = format!("{}{}", jwt::random_id(), jwt::random_id());
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let form = vec![
        ("client_id", id.to_owned()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", SUITE.to_owned()),
        ("scope", "openid accounts:read".to_owned()),
        ("code_challenge", URL_SAFE_NO_PAD.encode(hash)),
        ("code_challenge_method", "S256".to_owned()),
    ];
    (form, verifier)
}

fn pairs<'f>(form: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    form.iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// Sends the person through with a pushed request; gives the code.
async fn code(demo: &Demo, id: &str, pushed: &(StatusCode, Value)) -> String {
    assert_eq!(pushed.0, StatusCode::CREATED, "{}", pushed.1);
    let query = [
        ("client_id", id),
        ("request_uri", text(&pushed.1, "request_uri")),
    ];
    let url = Url::parse_with_params(&demo.issuer("/authorize"), query).unwrap();
    let mut ada = Visitor::with(http(demo, None));
    let sign_in = ada.get(url.as_str()).await;
    let consent = ada
        .prove(demo, &sign_in, &demo.told("/people/0/password"))
        .await;
    let back = ada
        .submit(&consent, "/consent", &[("decision", "allow")])
        .await;
    assert!(back.url.as_str().starts_with(SUITE), "{}", back.url);
    let code = back.url.query_pairs().find(|(name, _)| name == "code");
    code.unwrap().1.into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pocket_budget_connects_by_keys_alone() {
    let folder = Folder::new("demo-fapi");
    let demo = Demo::start_with(&folder.0, free_base(), &FLAGS);
    let mut ada = Visitor::with(http(&demo, None));
    let consent = ada.sign_in(&demo).await;
    let accounts = ada
        .submit(
            &consent,
            "/consent",
            &[("decision", "allow"), ("scope", "transactions:read")],
        )
        .await;
    for shown in ["Hello, Ada Lovelace", "Corner Bakery", "&#34;jkt&#34;"] {
        assert!(
            accounts.html.contains(shown),
            "{shown} on {}",
            accounts.html
        );
    }
    let gone = ada.post(&demo.partner("/disconnect"), &[]).await;
    assert!(
        gone.html.contains("grant.revoked") || gone.html.contains("revoked"),
        "{}",
        gone.html
    );
    // What is sent without PAR is refused by its profile.
    let (form, _) = request("rainy-day");
    let url = Url::parse_with_params(&demo.issuer("/authorize"), &form).unwrap();
    let refused = ada.get(url.as_str()).await;
    assert!(
        refused.url.as_str().contains("error=invalid_request"),
        "{}",
        refused.url
    );
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_pushed_request_and_proof_is_good_with_its_proof_alone() {
    let folder = Folder::new("demo-dpop");
    let demo = Demo::start_with(&folder.0, free_base(), &FLAGS);
    let (id, holder) = ("rainy-day", Holder::new());
    let plain = http(&demo, None);
    let ask = |path: &str, holder: &Holder| {
        let url = demo.issuer(path);
        plain
            .post(&url)
            .header("dpop", holder.proof("POST", &url, None))
    };
    let (form, verifier) = request(id);
    let with_assertion = |form: &[(&str, &str)], by: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
        let more = [
            ("client_assertion_type", kind),
            ("client_assertion", assertion(&demo, by)),
        ];
        let form = form
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let more = more.map(|(name, value)| (name.to_owned(), value));
        form.chain(more).collect::<Vec<_>>()
    };
    let send = async |ask: reqwest::RequestBuilder, form: Vec<(String, String)>| {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        post(ask, &form).await
    };
    let pushed = send(ask("/par", &holder), with_assertion(&pairs(&form), id)).await;
    let code = code(&demo, id, &pushed).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", SUITE),
        ("code_verifier", &verifier),
    ];
    // The other app with keys cannot use what is this one's, nor this one by another key.
    let others = with_assertion(&redeem, "pocket-budget");
    let refused = send(ask("/token", &holder), others).await;
    assert_eq!(
        (refused.0, text(&refused.1, "error")),
        (StatusCode::BAD_REQUEST, "invalid_grant")
    );
    let refused = send(ask("/token", &Holder::new()), with_assertion(&redeem, id)).await;
    assert_eq!(refused.0, StatusCode::BAD_REQUEST, "{}", refused.1);
    let (status, tokens) = send(ask("/token", &holder), with_assertion(&redeem, id)).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    assert_eq!(tokens["token_type"], "DPoP");

    let (api, token) = (demo.told("/resource"), text(&tokens, "access_token"));
    let bearing = |scheme: &str, proofs: &[&str]| {
        let mut ask = plain
            .get(&api)
            .header("authorization", format!("{scheme} {token}"));
        for proof in proofs {
            ask = ask.header("dpop", *proof);
        }
        ask
    };
    let good = holder.proof("GET", &api, Some(token));
    let id = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a";
    let (status, headers) =
        call(bearing("dpop", &[&good]).header("x-fapi-interaction-id", id)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["x-fapi-interaction-id"], id);
    assert!(headers.contains_key("date"));

    let wrong = [
        ("DPoP", vec![good.clone()], "invalid_dpop_proof"), // Used before.
        ("DPoP", vec![], "invalid_dpop_proof"),
        ("DPoP", vec!["nonsense".to_owned()], "invalid_dpop_proof"),
        (
            "DPoP",
            vec![holder.proof("POST", &api, Some(token))],
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            vec![holder.proof("GET", &(api.clone() + "/x"), Some(token))],
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            vec![holder.proof("GET", &api, Some("another"))],
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            vec![holder.proof("GET", &api, None)],
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            vec![Holder::new().proof("GET", &api, Some(token))],
            "invalid_dpop_proof",
        ),
        (
            "DPoP",
            vec![holder.proof("GET", &api, Some(token)); 2],
            "invalid_dpop_proof",
        ),
        ("Bearer", vec![], "invalid_token"),
        (
            "Bearer",
            vec![holder.proof("GET", &api, Some(token))],
            "invalid_token",
        ),
    ];
    for (scheme, proofs, error) in wrong {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let (status, headers) = call(bearing(scheme, &proofs)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{scheme} {proofs:?}");
        let challenge = headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with(scheme), "{challenge}");
        assert!(
            challenge.contains(&format!("error=\"{error}\"")),
            "{challenge}"
        );
        assert_eq!(headers["x-fapi-interaction-id"].len(), 36);
    }
    // In the query it is no token at all (FAPI 2.0 Security Profile §5.3.4).
    let (status, headers) = call(plain.get(format!("{api}?access_token={token}"))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("DPoP realm")
    );
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_a_certificate_is_good_with_that_certificate_alone() {
    let folder = Folder::new("demo-mtls");
    let demo = Demo::start_with(&folder.0, free_base(), &FLAGS);
    let id = "pocket-budget-mtls";
    let (own, others, none) = (
        http(&demo, Some(id)),
        http(&demo, Some("rainy-day-mtls")),
        http(&demo, None),
    );
    let discovery: Value = none
        .get(demo.told("/urls/discovery"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let at = |endpoint: &str| text(&discovery["mtls_endpoint_aliases"], endpoint).to_owned();
    let (par, token) = (
        at("pushed_authorization_request_endpoint"),
        at("token_endpoint"),
    );
    assert!(par.starts_with(&demo.told("/urls/mtls")), "{par}");
    let (form, verifier) = request(id);
    for stranger in [&others, &none] {
        let (status, refused) = post(stranger.post(&par), &pairs(&form)).await;
        assert_eq!(
            (status, text(&refused, "error")),
            (StatusCode::UNAUTHORIZED, "invalid_client")
        );
    }
    let pushed = post(own.post(&par), &pairs(&form)).await;
    let code = code(&demo, id, &pushed).await;
    let redeem = [
        ("client_id", id),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", SUITE),
        ("code_verifier", &verifier),
    ];
    let (status, tokens) = post(own.post(&token), &redeem).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let api = demo.told("/resource");
    let bearing =
        |http: &reqwest::Client| http.get(&api).bearer_auth(text(&tokens, "access_token"));
    assert_eq!(call(bearing(&own)).await.0, StatusCode::OK);
    for stranger in [&others, &none] {
        let (status, headers) = call(bearing(stranger)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let challenge = headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    // So it is with the refresh token, and with what it gives.
    let refresh = [
        ("client_id", id),
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    for stranger in [&others, &none] {
        let (status, refused) = post(stranger.post(&token), &refresh).await;
        let refused = (status, text(&refused, "error"));
        assert_eq!(refused, (StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    let (status, renewed) = post(own.post(&token), &refresh).await;
    assert_eq!(status, StatusCode::OK, "{renewed}");
    let ask = |http: &reqwest::Client| http.get(&api).bearer_auth(text(&renewed, "access_token"));
    assert_eq!(call(ask(&own)).await.0, StatusCode::OK);
    assert_eq!(call(ask(&others)).await.0, StatusCode::UNAUTHORIZED);
    // The lines for the shell do the same.
    let lines: Vec<String> = (0..3).map(|n| demo.told(&format!("/curl/{n}"))).collect();
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &lines.join("\n")])
        .output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        said.contains("\"accounts\"") && said.ends_with("revoked: 200\n"),
        "{said}"
    );
    demo.stop();
}

#[test]
fn further_addresses_are_good_for_one_start() {
    let folder = Folder::new("demo-redirects");
    let base = free_base();
    let demo = Demo::start_with(&folder.0, base, &["--redirect-uri", SUITE]);
    let own = demo.partner("/callback");
    for id in ["pocket-budget", "pocket-budget-phone"] {
        assert_eq!(client(&demo, id)["redirect_uris"], json!([own, SUITE]));
    }
    demo.stop();
    let demo = Demo::start(&folder.0, base);
    assert_eq!(
        client(&demo, "pocket-budget")["redirect_uris"],
        json!([own])
    );
    demo.stop();
    for (flags, word) in [
        (
            ["--redirect-uri", "javascript:alert(1)"].as_slice(),
            "--redirect-uri",
        ),
        (&["--fapi"], "--tls"),
        (&["--tls", "--fapi"], "without --tls"),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("demo")
            .args(flags)
            .args(["--port-base", &base.to_string(), "--data"])
            .arg(&folder.0)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(word), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_signed_and_one_payment_is_asked_for_by_key_or_certificate() {
    let folder = Folder::new("demo-signed");
    let flags = [FLAGS.as_slice(), &["--signed"]].concat();
    let demo = Demo::start_with(&folder.0, free_base(), &flags);
    // Pocket Budget signs what it asks for, too.
    let mut ada = Visitor::with(http(&demo, None));
    let consent = ada.sign_in(&demo).await;
    assert!(consent.html.contains("Pocket Budget"), "{}", consent.html);
    let mtls = |path: &str| format!("{}{path}", demo.told("/urls/mtls"));
    let details = json!([{
        "type": "payment_initiation",
        "instructedAmount": { "amount": "123.50", "currency": "EUR" },
        "creditorName": "Corner Bakery",
        "creditorAccount": { "iban": "DE02100100109307118603" },
    }]);
    for id in ["pocket-budget-mtls", "rainy-day-bound"] {
        let (own, none) = (http(&demo, Some(id)), http(&demo, None));
        let with_key = |form: &[(&'static str, String)]| {
            let mut form = form.to_vec();
            if id == "rainy-day-bound" {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
                form.push(("client_assertion_type", kind));
                form.push(("client_assertion", assertion(&demo, id)));
            }
            form
        };
        let (plain, verifier) = request(id);
        let par = mtls("/par");
        let (status, refused) = post(own.post(&par), &pairs(&with_key(&plain))).await;
        let refused = (status, text(&refused, "error"));
        assert_eq!(refused, (StatusCode::BAD_REQUEST, "invalid_request"));
        let object = request_object(&demo, id, &plain, &details);
        let pushed = [("client_id", id.to_owned()), ("request", object)];
        let pushed = post(own.post(&par), &pairs(&with_key(&pushed))).await;
        assert_eq!(pushed.0, StatusCode::CREATED, "{}", pushed.1);
        let query = [
            ("client_id", id),
            ("request_uri", text(&pushed.1, "request_uri")),
        ];
        let url = Url::parse_with_params(&demo.issuer("/authorize"), query).unwrap();
        // She is signed in, and asked for this payment.
        let consent = ada.get(url.as_str()).await;
        assert!(consent.html.contains("123.50"), "{}", consent.html);
        let back = ada
            .submit(&consent, "/consent", &[("decision", "allow")])
            .await;
        let code = back.url.query_pairs().find(|(name, _)| name == "code");
        let code = code.unwrap().1.into_owned();
        let redeem = [
            ("client_id", id.to_owned()),
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", SUITE.to_owned()),
            ("code_verifier", verifier),
        ];
        let token = mtls("/token");
        let (status, refused) = post(none.post(&token), &pairs(&with_key(&redeem))).await;
        assert!(status.is_client_error(), "{refused}");
        let (status, tokens) = post(own.post(&token), &pairs(&with_key(&redeem))).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["authorization_details"], details);
        let api = demo.told("/resource");
        for (http, expected) in [(&none, StatusCode::UNAUTHORIZED), (&own, StatusCode::OK)] {
            let ask = http.get(&api).bearer_auth(text(&tokens, "access_token"));
            assert_eq!(call(ask).await.0, expected);
        }
    }
    demo.stop();
}
