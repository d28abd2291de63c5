//! Clients: partner apps and APIs.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::app::App;
use countersign::flows::AdminFailure;
use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::flows::resources as resource_flow;
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::access::Format;
use rules::protocol::client::{GrantType, Profile};
use rules::protocol::client_metadata::Metadata;
use rules::protocol::resource::{Resource, ScopeInfo};
use rules::protocol::scope::Scopes;
use serde_json::{Value, json};

use super::server::{ACCOUNTS, CARDS, TestServer, caller};
use super::{Reply, jwt};

/// What to register.
pub struct Spec {
    /// `client_id`.
    pub id: String,
    /// How it proves who it is.
    pub auth: Method,
    /// Where people go back to.
    pub redirect_uris: Vec<String>,
    /// Which grants it may use.
    pub grants: Vec<GrantType>,
    /// Which scopes it may ask for.
    pub scopes: String,
    /// How its ID tokens are signed.
    pub alg: Option<Alg>,
    /// Its rules.
    pub profile: Profile,
    /// What else is registered.
    pub metadata: Metadata,
    /// Its key pair, when it is not to have a new one.
    pub key: Option<SigningKey>,
}

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    None,
    /// A secret in the header.
    Basic,
    /// A secret in the body.
    Post,
    /// An assertion signed by ES256.
    Jwt,
}

const ALL_SCOPES: &str = "openid profile email address phone offline_access accounts:read \
                          transactions:read cards:read";

impl Spec {
    /// A client that may use every grant and scope.
    pub fn new(id: &str, auth: Method) -> Self {
        let mut grants = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
        if auth != Method::None {
            grants.push(GrantType::ClientCredentials);
        }
        Self {
            id: id.to_owned(),
            auth,
            redirect_uris: vec![format!("https://{id}.example/cb")],
            grants,
            scopes: ALL_SCOPES.to_owned(),
            alg: None,
            profile: Profile::default(),
            metadata: Metadata::default(),
            key: None,
        }
    }

    /// One with a secret.
    pub fn confidential(id: &str) -> Self {
        Self::new(id, Method::Basic)
    }

    /// One that cannot keep a secret.
    pub fn public(id: &str) -> Self {
        Self::new(id, Method::None)
    }

    /// One with a key pair.
    pub fn with_key(id: &str) -> Self {
        Self::new(id, Method::Jwt)
    }

    /// With these redirect URIs.
    pub fn redirect(mut self, uris: &[&str]) -> Self {
        self.redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        self
    }

    /// With these scopes.
    pub fn scopes(mut self, scopes: &str) -> Self {
        scopes.clone_into(&mut self.scopes);
        self
    }

    /// With this metadata.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// With these grants.
    pub fn grants(mut self, grants: &[GrantType]) -> Self {
        self.grants = grants.to_vec();
        self
    }
}

/// A registered client, with what it needs to authenticate.
#[derive(Clone)]
pub struct ClientApp {
    /// `client_id`.
    pub id: String,
    /// How it authenticates.
    pub method: Method,
    /// `client_secret`, or empty.
    pub secret: String,
    /// Its key pair, when it has one.
    pub key: Option<Arc<SigningKey>>,
    /// Its first redirect URI.
    pub redirect_uri: String,
}

/// Registers a client.
pub async fn register(app: &App, spec: Spec) -> ClientApp {
    try_register(app, spec).await.unwrap()
}

/// Tries to register a client.
pub async fn try_register(app: &App, spec: Spec) -> Result<ClientApp, AdminFailure> {
    let key = (spec.auth == Method::Jwt).then(|| {
        let new = || SigningKey::generate(Alg::Es256).unwrap();
        Arc::new(spec.key.unwrap_or_else(new))
    });
    let auth = match (spec.auth, &key) {
        (Method::None, _) => NewAuth::None,
        (Method::Jwt, Some(key)) => {
            NewAuth::Jwks(JwkSet::new(vec![key.public_jwk().clone()]).unwrap())
        }
        _ => NewAuth::Secret,
    };
    let redirect_uri = spec.redirect_uris.first().cloned().unwrap_or_default();
    let new = NewClient {
        id: Some(spec.id.clone()),
        name: format!("The app {}", spec.id),
        auth,
        redirect_uris: spec.redirect_uris,
        grant_types: spec.grants,
        scopes: Scopes::parse(&spec.scopes).unwrap(),
        id_token_signed_response_alg: spec.alg,
        profile: spec.profile,
        metadata: spec.metadata,
    };
    let registered = clients::register(app, new, &caller()).await?;
    let secret = registered.secret.map(|secret| secret.expose().to_owned());
    Ok(ClientApp {
        id: spec.id,
        method: spec.auth,
        secret: secret.unwrap_or_default(),
        key,
        redirect_uri,
    })
}

/// Registers an API's own client.
pub async fn api(app: &App, id: &str) -> ClientApp {
    let spec = Spec::confidential(id).redirect(&[]).grants(&[]).scopes("");
    register(app, spec).await
}

/// Registers the two resources that every server under test has.
pub async fn resources(app: &App) {
    let scope = |name: &str, title: &str, optional| ScopeInfo {
        name: name.to_owned(),
        title: title.to_owned(),
        titles: BTreeMap::default(),
        detail: None,
        optional,
        require_acr: None,
    };
    let accounts = Resource {
        uri: ACCOUNTS.to_owned(),
        name: "Accounts".to_owned(),
        client_id: "accounts-api".to_owned(),
        scopes: vec![
            scope("accounts:read", "See your accounts and balances", false),
            scope("transactions:read", "See your transactions", true),
        ],
        token_format: Format::Opaque,
        names: BTreeMap::default(),
        read_only: false,
        require_acr: None,
        access_token_lifetime: 300,
    };
    let cards = Resource {
        uri: CARDS.to_owned(),
        name: "Cards".to_owned(),
        client_id: "cards-api".to_owned(),
        scopes: vec![scope("cards:read", "See your cards", false)],
        token_format: Format::Jwt,
        names: BTreeMap::default(),
        read_only: false,
        require_acr: None,
        access_token_lifetime: 300,
    };
    for resource in [accounts, cards] {
        resource_flow::put(app, resource, &caller()).await.unwrap();
    }
}

impl ClientApp {
    /// The same client, sending its secret in the body.
    pub fn posting(&self) -> Self {
        Self {
            method: Method::Post,
            ..self.clone()
        }
    }

    /// POSTs a form to a path, authenticated.
    pub async fn post(&self, server: &TestServer, path: &str, form: &[(&str, &str)]) -> Reply {
        let mut form: Vec<(String, String)> = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut request = server.http.post(server.at(path));
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        match self.method {
            Method::None => add("client_id", &self.id),
            Method::Basic => request = request.header("authorization", self.basic()),
            Method::Post => {
                add("client_id", &self.id);
                add("client_secret", &self.secret);
            }
            Method::Jwt => {
                add("client_assertion_type", jwt::ASSERTION_TYPE);
                add("client_assertion", &self.assertion(&self.claims(server)));
            }
        }
        Reply::of(request.form(&form)).await
    }

    /// Asks the token endpoint.
    pub async fn token(&self, server: &TestServer, form: &[(&str, &str)]) -> Reply {
        self.post(server, "/token", form).await
    }

    /// Gets an access token for itself.
    pub async fn client_credentials(&self, server: &TestServer, scope: &str) -> Reply {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        self.token(server, &form).await
    }

    /// Refreshes.
    pub async fn refresh(&self, server: &TestServer, token: &str) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(server, &form).await
    }

    /// Asks about a token.
    pub async fn introspect(&self, server: &TestServer, token: &str) -> Value {
        self.post(server, "/introspect", &[("token", token)])
            .await
            .ok()
    }

    /// Whether a token is active, as this API sees it.
    pub async fn sees(&self, server: &TestServer, token: &str) -> bool {
        let answer = self.introspect(server, token).await;
        let active = answer["active"].as_bool().unwrap();
        assert!(active || answer == json!({"active": false}), "{answer}");
        active
    }

    /// Revokes a token.
    pub async fn revoke(&self, server: &TestServer, token: &str) -> Reply {
        self.post(server, "/revoke", &[("token", token)]).await
    }

    /// The `Authorization` header: id and secret are form-encoded first (RFC 6749 §2.3.1).
    pub fn basic(&self) -> String {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.id), encode(&self.secret));
        format!("Basic {}", STANDARD.encode(pair))
    }

    /// The claims of a good assertion.
    pub fn claims(&self, server: &TestServer) -> Value {
        let now = server.now();
        json!({
            "iss": self.id, "sub": self.id, "aud": server.issuer, "jti": jwt::random_id(),
            "iat": now, "nbf": now, "exp": now + 60,
        })
    }

    /// Signs an assertion, by another implementation than the server's.
    pub fn assertion(&self, claims: &Value) -> String {
        let key = self.key.as_ref().unwrap();
        jwt::sign(key, claims)
    }
}
