//! The institution's own provider, small: a real listener on loopback that redeems the codes that the
//! tests let it give.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::clock::Clock;
use countersign::config::{self, UpstreamFile};
use rules::jose::{Alg, JwkSet, SigningKey};
use serde_json::{Value, json};
use url::Url;

use super::template::Directory;
use super::{Browser, Engine, Page, TestServer, jwt};

/// What this server is called there, and its secret.
const CLIENT: (&str, &str) = ("countersign", "a secret: of both");

/// The provider.
#[derive(Clone)]
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
    inner: Arc<Inner>,
}

struct Inner {
    key: Mutex<Arc<SigningKey>>,
    /// What the server signs its assertions with, when it has no secret.
    client_key: SigningKey,
    files: Directory,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    codes: Mutex<HashMap<String, Given>>,
    /// Who is signed in there, as its page answers to real browsers.
    present: Mutex<Option<(String, String)>>,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// Not at all.
    Down,
    /// By a redirect to itself.
    Elsewhere,
    /// With a mebibyte.
    Endlessly,
    /// With something else.
    Nonsense,
    /// Under another name.
    Renamed,
    /// Never.
    Slowly,
    /// Its token endpoint takes secrets in the form alone.
    ByPost,
}

/// What a code stands for.
struct Given {
    challenge: String,
    redirect_uri: String,
    id_token: String,
}

impl Provider {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = Directory::new();
        std::fs::write(files.path().join("secret"), CLIENT.1).unwrap();
        let client_key = SigningKey::generate(Alg::Es256).unwrap();
        std::fs::write(files.path().join("key.pem"), pem(&client_key)).unwrap();
        let provider = Self {
            issuer: format!("http://127.0.0.1:{port}/people"),
            inner: Arc::new(Inner {
                key: Mutex::new(Arc::new(SigningKey::generate(Alg::Es256).unwrap())),
                client_key,
                files,
                mood: Mutex::new(Mood::Well),
                asked: AtomicUsize::new(0),
                codes: Mutex::default(),
                present: Mutex::default(),
            }),
        };
        let service = axum::Router::new()
            .fallback(serve)
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        provider
    }

    /// A server whose people may sign in through it, with other settings.
    pub async fn server(
        &self,
        engine: Engine,
        change: impl FnOnce(&mut config::File),
    ) -> TestServer {
        TestServer::start_with(engine, |file| {
            file.upstream = self.settings();
            change(file);
        })
        .await
    }

    /// What a server must know of it.
    pub fn settings(&self) -> UpstreamFile {
        settings(&self.issuer, &self.secret_file())
    }

    /// The file of the secret that the server has there.
    pub fn secret_file(&self) -> PathBuf {
        self.inner.files.path().join("secret")
    }

    /// The file of the key that the server may have in the place of a secret.
    pub fn key_file(&self) -> PathBuf {
        self.inner.files.path().join("key.pem")
    }

    /// How it answers from now on.
    pub fn mood(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Signs with another key from now on, and publishes it alone.
    pub fn rotate(&self) {
        *self.inner.key.lock().unwrap() = Arc::new(SigningKey::generate(Alg::Es256).unwrap());
    }

    /// Who is signed in there when a real browser comes.
    pub fn present(&self, subject: &str, acr: &str) {
        *self.inner.present.lock().unwrap() = Some((subject.to_owned(), acr.to_owned()));
    }

    /// What it answers to the request that a page leads to, for somebody of it: the path of the
    /// callback. `change` changes the claims.
    pub fn answer(
        &self,
        server: &TestServer,
        asked: &str,
        (subject, acr): (&str, &str),
        change: impl FnOnce(&mut Value),
    ) -> String {
        let mut claims = self.claims(asked, (subject, acr), server.now());
        change(&mut claims);
        self.answer_with(asked, &self.sign(&claims))
    }

    /// The same, at a time in seconds, with nothing changed.
    pub fn answer_at(&self, asked: &str, who: (&str, &str), now: i64) -> String {
        self.answer_with(asked, &self.sign(&self.claims(asked, who, now)))
    }

    fn claims(&self, asked: &str, (subject, acr): (&str, &str), now: i64) -> Value {
        json!({
            "iss": self.issuer,
            "sub": subject,
            "aud": CLIENT.0,
            "nonce": of(asked, "nonce"),
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "acr": acr,
        })
    }

    fn sign(&self, claims: &Value) -> String {
        let key = Arc::clone(&self.inner.key.lock().unwrap());
        jwt::sign(&key, claims)
    }

    /// The same, with an ID token of the test's own.
    pub fn answer_with(&self, asked: &str, id_token: &str) -> String {
        let code = jwt::random_id();
        let given = Given {
            challenge: of(asked, "code_challenge"),
            redirect_uri: of(asked, "redirect_uri"),
            id_token: id_token.to_owned(),
        };
        self.inner.codes.lock().unwrap().insert(code.clone(), given);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("code", &code)
            .append_pair("state", &of(asked, "state"))
            .append_pair("iss", &self.issuer);
        format!("/upstream/callback?{}", query.finish())
    }

    /// Sends a browser there, and gives the address that it was sent to.
    pub async fn sent(&self, browser: &mut Browser, from: &str) -> String {
        let page = browser.get(from).await;
        assert_eq!(page.status, 303, "{}", page.body);
        assert!(
            page.location().starts_with(&self.issuer),
            "{}",
            page.location()
        );
        page.location().to_owned()
    }

    /// Signs somebody in through it; the first page that is not a redirect.
    pub async fn walk(
        &self,
        server: &TestServer,
        browser: &mut Browser,
        who: (&str, &str),
    ) -> Page {
        let asked = self.sent(browser, "/sign-in/upstream").await;
        let back = self.answer(server, &asked, who, |_| ());
        browser.open(&back).await
    }

    /// Links an account of it with the one that is signed in in this browser.
    pub async fn link(
        &self,
        server: &TestServer,
        browser: &mut Browser,
        (form, subject): (&[(&str, &str)], &str),
    ) -> Page {
        let page = browser.post("/account/upstream/link", form).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let asked = link_in(&page);
        let back = self.answer(server, &asked, (subject, ""), |_| ());
        browser.get(&back).await
    }

    fn redeem(&self, body: &[u8], authorization: &str) -> Option<Value> {
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(body).into_owned().collect();
        if !self.knows(&form, authorization) {
            return None;
        }
        let given = self.inner.codes.lock().unwrap().remove(form.get("code")?)?;
        let verifier = form.get("code_verifier")?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        let right = URL_SAFE_NO_PAD.encode(digest) == given.challenge
            && form.get("redirect_uri") == Some(&given.redirect_uri)
            && form.get("grant_type").map(String::as_str) == Some("authorization_code");
        right.then(|| {
            json!({
                "access_token": "unused",
                "token_type": "Bearer",
                "id_token": given.id_token,
            })
        })
    }
}

impl Provider {
    /// Whether it is the server: by its secret, or by an assertion (RFC 7523 §3).
    fn knows(&self, form: &HashMap<String, String>, authorization: &str) -> bool {
        let Some(assertion) = form.get("client_assertion") else {
            let written = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            if *self.inner.mood.lock().unwrap() == Mood::ByPost {
                let posted = ["client_id", "client_secret"].map(|name| form.get(name));
                let right = [CLIENT.0, CLIENT.1].map(|part| Some(part.to_owned()));
                return authorization.is_empty() && posted.map(Option::<&String>::cloned) == right;
            }
            if form.contains_key("client_secret") {
                return false;
            }
            let who = format!("{}:{}", written(CLIENT.0), written(CLIENT.1));
            return authorization == format!("Basic {}", STANDARD.encode(who));
        };
        let keys = JwkSet::new(vec![self.inner.client_key.public_jwk().clone()]).unwrap();
        let Ok(verified) = rules::jose::verify(assertion, &[Alg::Es256], &keys) else {
            return false;
        };
        let claims = verified.payload;
        let time = |name: &str| claims[name].as_i64().unwrap();
        authorization.is_empty()
            && form["client_assertion_type"] == jwt::ASSERTION_TYPE
            && claims["iss"] == CLIENT.0
            && claims["sub"] == CLIENT.0
            && claims["aud"] == self.issuer
            && claims["jti"].is_string()
            && time("exp") == time("iat") + 60
    }

    /// What its page does with a real browser: whoever is there goes back with a code at once.
    fn page(&self, asked: &str) -> Response {
        let present = self.inner.present.lock().unwrap().clone();
        let Some((subject, acr)) = present else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let now = Clock::system().now().secs();
        let back = self.answer_at(asked, (&subject, &acr), now);
        let (_, query) = back.split_once('?').unwrap();
        let to = format!("{}?{query}", of(asked, "redirect_uri"));
        (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
    }
}

/// What a server must know of a provider, of whose secret it has this file.
pub fn settings(issuer: &str, secret: &Path) -> UpstreamFile {
    UpstreamFile {
        issuer: Some(issuer.to_owned()),
        client_id: CLIENT.0.to_owned(),
        client_secret_file: Some(secret.to_owned()),
        name: names(),
        trusted_acr: vec!["urn:bank:mfa".to_owned()],
        ..UpstreamFile::default()
    }
}

/// What people call it.
pub fn names() -> BTreeMap<String, String> {
    BTreeMap::from(["en", "de"].map(|tag| (tag.to_owned(), "Staff Login".to_owned())))
}

/// A key as OpenSSL writes it.
pub fn pem(key: &SigningKey) -> String {
    let text = STANDARD.encode(key.to_pkcs8().unwrap());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// The way on that a page shows.
pub fn link_in(page: &Page) -> String {
    let rest = page.body.split("class=\"primary\" href=\"").nth(1).unwrap();
    super::browser::unescape(rest.split('"').next().unwrap())
}

/// A parameter of an address.
pub fn of(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(found, _)| found == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

async fn serve(State(provider): State<Provider>, request: Request) -> Response {
    provider.inner.asked.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let mood = *provider.inner.mood.lock().unwrap();
    let mut issuer = &provider.issuer;
    let other = format!("{issuer}/other");
    match mood {
        Mood::Well | Mood::ByPost => {}
        Mood::Down => return StatusCode::BAD_GATEWAY.into_response(),
        Mood::Elsewhere => {
            let to = [(LOCATION, parts.uri.to_string())];
            return (StatusCode::TEMPORARY_REDIRECT, to).into_response();
        }
        Mood::Endlessly => return vec![b' '; 1 << 20].into_response(),
        Mood::Nonsense => return "<html>".into_response(),
        Mood::Renamed => issuer = &other,
        Mood::Slowly => return std::future::pending().await,
    }
    let methods = match mood {
        Mood::ByPost => json!(["client_secret_post", "private_key_jwt"]),
        _ => json!(["client_secret_basic", "client_secret_post"]),
    };
    let json = |value: &Value| Body::from(value.to_string()).into_response();
    match parts.uri.path() {
        "/people/.well-known/openid-configuration" => json(&json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "authorization_response_iss_parameter_supported": true,
            "token_endpoint_auth_methods_supported": methods,
        })),
        "/people/jwks" => json(&json!({
            "keys": [serde_json::to_value(provider.inner.key.lock().unwrap().public_jwk()).unwrap()],
        })),
        "/people/authorize" => provider.page(&format!("http://127.0.0.1{}", parts.uri)),
        "/people/token" => {
            let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
            let header = parts.headers.get("authorization");
            let header = header.map_or("", |value| value.to_str().unwrap());
            match provider.redeem(&body, header) {
                Some(tokens) => json(&tokens),
                None => (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#).into_response(),
            }
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
