//! FAPI 2.0: Security Profile and Message Signing, as a partner's developer and an attacker meet
//! them.

mod assertions;
pub mod details;
mod dpop;
mod encrypted;
pub mod hook;
mod nonces;
mod pushing;
mod registering;
mod signed;
mod tokens;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::jose::{Alg, SigningKey};
use rules::protocol::Profile;
use serde_json::{Value, json};

use crate::support::{Answer, AuthRequest, ClientApp, Person, Reply, Spec, TestServer, jwt};

/// Somebody who holds a key and proves it, by another implementation than the server's.
pub struct Holder {
    pair: EcdsaKeyPair,
    jwk: Value,
    jkt: String,
}

impl Holder {
    pub fn new() -> Self {
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let der = key.to_pkcs8().unwrap();
        let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
        for name in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        Self {
            pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap(),
            jwk,
            jkt: key.kid().to_owned(),
        }
    }

    /// The claims of a good proof.
    fn claims(server: &TestServer, method: &str, path: &str) -> Value {
        json!({
            "jti": jwt::random_id(), "htm": method, "htu": server.at(path), "iat": server.now(),
        })
    }

    /// A header with `jwk` in place.
    pub fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk })
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), input.as_bytes())
            .unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A good proof for a POST.
    pub fn proof(&self, server: &TestServer, path: &str) -> String {
        self.sign(&self.header(), &Self::claims(server, "POST", path))
    }

    /// A good proof for a token at userinfo.
    fn with_token(&self, server: &TestServer, token: &str) -> String {
        self.sign(&self.header(), &with_ath(server, token))
    }
}

/// The claims of a proof for userinfo.
fn with_ath(server: &TestServer, token: &str) -> Value {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut claims = Holder::claims(server, "GET", "/userinfo");
    claims["ath"] = URL_SAFE_NO_PAD.encode(hash).into();
    claims
}

/// POSTs a form with headers.
async fn send(server: &TestServer, path: &str, form: &[(&str, &str)], proofs: &[String]) -> Reply {
    let mut request = server.http.post(server.at(path));
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    Reply::of(request.form(form)).await
}

/// A partner's app of the profile, with a key for assertions and one for proofs.
pub struct Partner {
    app: ClientApp,
    pub holder: Holder,
}

/// Registers one.
async fn partner(server: &TestServer, id: &str) -> Partner {
    partner_with(server, Spec::with_key(id)).await
}

async fn partner_with(server: &TestServer, mut spec: Spec) -> Partner {
    spec.profile = Profile::Fapi2;
    Partner {
        app: server.register(spec).await,
        holder: Holder::new(),
    }
}

impl Partner {
    /// Asks with this assertion and these proofs.
    async fn ask(
        &self,
        server: &TestServer,
        (path, form): (&str, &[(&str, &str)]),
        assertion: &str,
        proofs: &[String],
    ) -> Reply {
        let mut form = form.to_vec();
        form.push(("client_assertion_type", jwt::ASSERTION_TYPE));
        form.push(("client_assertion", assertion));
        send(server, path, &form, proofs).await
    }

    fn assertion(&self, server: &TestServer) -> String {
        self.app.assertion(&self.app.claims(server))
    }

    /// Asks, everything right.
    async fn post(&self, server: &TestServer, path: &str, form: &[(&str, &str)]) -> Reply {
        let proof = self.holder.proof(server, path);
        self.ask(server, (path, form), &self.assertion(server), &[proof])
            .await
    }

    /// Asks without a proof.
    async fn bare(&self, server: &TestServer, path: &str, form: &[(&str, &str)]) -> Reply {
        self.ask(server, (path, form), &self.assertion(server), &[])
            .await
    }

    fn request(&self, scope: &str) -> AuthRequest {
        AuthRequest::new(&self.app, scope)
    }

    /// Pushes a request without a proof.
    async fn push(&self, server: &TestServer, request: &AuthRequest) -> Reply {
        self.bare(server, "/par", &request.pairs()).await
    }

    /// Sends a person through with a request that was pushed.
    async fn walk(
        &self,
        server: &TestServer,
        (request, reply): (&AuthRequest, &Reply),
        person: &Person,
    ) -> Answer {
        assert_eq!(reply.status, 201, "{}", reply.body);
        let short = short(&self.app, request, reply.text("request_uri"));
        server.browser().walk(server, &short, person).await
    }

    /// A code of a request that names no key.
    async fn code(&self, server: &TestServer, request: &AuthRequest, person: &Person) -> String {
        let reply = self.push(server, request).await;
        self.walk(server, (request, &reply), person).await.code()
    }

    /// Tokens for a person, everything right.
    async fn tokens(&self, server: &TestServer, scope: &str, person: &Person) -> Value {
        let request = self.request(scope);
        let code = self.code(server, &request, person).await;
        let form = request.redemption(&self.app, &code);
        self.post(server, "/token", &form).await.ok()
    }
}

/// What the browser brings of a pushed request.
fn short(app: &ClientApp, request: &AuthRequest, uri: &str) -> AuthRequest {
    let names: Vec<String> = request
        .pairs()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let empty = names
        .iter()
        .fold(request.clone(), |all, name| all.without(name));
    empty.with("client_id", &app.id).with("request_uri", uri)
}

/// What userinfo answers.
async fn userinfo(server: &TestServer, authorization: &str, proofs: &[String]) -> Reply {
    let mut request = server.http.get(server.at("/userinfo"));
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    Reply::of(request).await
}

/// A text member of a JSON object.
fn text<'j>(json: &'j Value, name: &str) -> &'j str {
    json[name].as_str().unwrap_or_default()
}

/// Asserts a refusal by one of these codes.
#[track_caller]
fn refused(reply: &Reply, codes: &[&str]) {
    assert!(codes.contains(&reply.error()), "{}", reply.body);
    let status = if reply.error() == "invalid_client" {
        401
    } else {
        400
    };
    assert_eq!(reply.status, status, "{}", reply.body);
    reply.well_formed_error();
}
