//! The example of an API in Rust.

use std::collections::HashMap;

use serde::Deserialize;

use crate::support::server::ACCOUNTS;
use crate::support::{Spec, TestServer};

on_both![the_api_in_rust_lets_in_whom_it_should];

// docs/apis/rust.md shows what follows.

/// What the authorization server says of a token (RFC 7662 §2.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    pub active: bool,
    pub scope: String,
    pub sub: String,
    pub client_id: String,
    pub aud: Audience,
}

/// One resource, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    fn has(&self, resource: &str) -> bool {
        match self {
            Self::One(one) => one == resource,
            Self::Several(all) => all.iter().any(|one| one == resource),
        }
    }
}

/// Why a caller is turned away, and with which status.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// 401, `WWW-Authenticate: Bearer error="invalid_token"`.
    InvalidToken,
    /// 403, `WWW-Authenticate: Bearer error="insufficient_scope"`.
    InsufficientScope,
    /// 503: the server could not be asked, and no answer is no permission.
    Unknown,
}

/// An API that asks the authorization server about every token.
pub struct Api {
    pub http: reqwest::Client,
    pub introspect: String,
    pub client_id: String,
    pub client_secret: String,
    pub resource: String,
}

impl Api {
    /// What a token allows, when it is good, for this API, and has the scope.
    pub async fn authorized(&self, token: &str, scope: &str) -> Result<Told, Refused> {
        let told = self.ask(token).await.map_err(|_| Refused::Unknown)?;
        if !told.active || !told.aud.has(&self.resource) {
            return Err(Refused::InvalidToken);
        }
        if !told.scope.split(' ').any(|one| one == scope) {
            return Err(Refused::InsufficientScope);
        }
        Ok(told)
    }

    async fn ask(&self, token: &str) -> reqwest::Result<Told> {
        self.http
            .post(&self.introspect)
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .form(&HashMap::from([("token", token)]))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await
    }
}

// As far as docs/apis/rust.md.

async fn the_api_in_rust_lets_in_whom_it_should(server: TestServer) {
    let api = |secret: &str| Api {
        http: server.http.clone(),
        introspect: server.at("/introspect"),
        client_id: server.accounts.id.clone(),
        client_secret: secret.to_owned(),
        resource: ACCOUNTS.to_owned(),
    };
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let good = api(&server.accounts.secret);
    let told = good.authorized(token, "accounts:read").await.unwrap();
    assert_eq!((told.sub.as_str(), told.client_id.as_str()), ("app", "app"));
    let refused = good.authorized(token, "transactions:read").await;
    assert_eq!(refused.unwrap_err(), Refused::InsufficientScope);
    let refused = good.authorized("cs_at_rubbish", "accounts:read").await;
    assert_eq!(refused.unwrap_err(), Refused::InvalidToken);
    let refused = api("wrong").authorized(token, "accounts:read").await;
    assert_eq!(refused.unwrap_err(), Refused::Unknown);
    app.revoke(&server, token).await;
    let refused = good.authorized(token, "accounts:read").await;
    assert_eq!(refused.unwrap_err(), Refused::InvalidToken);
}
