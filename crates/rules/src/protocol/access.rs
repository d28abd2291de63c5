//! What an access token says, whatever it looks like.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::details::Details;
use super::proof::{Confirmation, TokenType};
use super::scope::Scopes;
use crate::time::Timestamp;

/// How the access tokens of a resource look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Sealed: only this server can read it.
    #[default]
    Opaque,
    /// A signed JWT (RFC 9068).
    Jwt,
}

/// The record that an access token carries. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRecord {
    /// The token's own identifier (`jti`).
    pub id: Uuid,
    /// The authorization it points to.
    pub authorization: Uuid,
    /// The grant behind that, when a person gave one.
    pub grant: Option<Uuid>,
    /// The person, when there is one.
    pub user: Option<Uuid>,
    /// `sub`: the person as this client knows her, or the client itself.
    pub subject: String,
    /// `client_id`.
    pub client_id: String,
    /// `aud`: the resources it is good for.
    pub resources: Vec<String>,
    /// What it allows.
    pub scopes: Scopes,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// How the person was authenticated (RFC 9470).
    pub acr: Option<String>,
    /// When.
    pub auth_time: Option<Timestamp>,
    /// What it is bound to; whoever holds it may use it when there is nothing. It is no part of the
    /// record's own serialization, which tokens from before this existed have: whoever writes a
    /// record writes this beside it.
    #[serde(skip)]
    pub confirmation: Option<Confirmation>,
    /// What it allows beyond scopes (RFC 9396 §9); written beside the record, as the binding is.
    #[serde(skip)]
    pub details: Details,
}

impl AccessRecord {
    /// The claims of its JWT form (RFC 9068 §2.2). `jti` and `sid`-like members tell everything that
    /// is needed to judge the token without a row.
    #[must_use]
    pub fn jwt_claims(&self, issuer: &str) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("iss".into(), issuer.into());
        claims.insert("sub".into(), self.subject.clone().into());
        claims.insert("aud".into(), audience(&self.resources));
        claims.insert("client_id".into(), self.client_id.clone().into());
        claims.insert("jti".into(), self.id.to_string().into());
        claims.insert("iat".into(), self.issued_at.secs().into());
        claims.insert("exp".into(), self.expires_at.secs().into());
        // RFC 9068 §2.2.3: a token for details alone has none.
        if !self.scopes.is_empty() {
            claims.insert("scope".into(), self.scopes.to_string().into());
        }
        claims.insert("azn".into(), self.authorization.to_string().into());
        if let Some(grant) = self.grant {
            claims.insert("grt".into(), grant.to_string().into());
        }
        if let Some(user) = self.user {
            claims.insert("usr".into(), user.to_string().into());
        }
        if let Some(acr) = &self.acr {
            claims.insert("acr".into(), acr.clone().into());
        }
        if let Some(at) = self.auth_time {
            claims.insert("auth_time".into(), at.secs().into());
        }
        // RFC 7800 §3.1
        if let Some(confirmation) = &self.confirmation {
            claims.insert("cnf".into(), confirmation.cnf());
        }
        // RFC 9396 §9.1
        if !self.details.is_empty() {
            claims.insert("authorization_details".into(), self.details.to_value());
        }
        claims
    }

    /// Reads the claims of a JWT whose signature was verified.
    #[must_use]
    pub fn from_jwt_claims(claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name)?.as_str();
        let uuid = |name: &str| Uuid::parse_str(text(name)?).ok();
        let resources = match claims.get("aud")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many
                .iter()
                .map(|uri| uri.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            _ => return None,
        };
        let id = uuid("jti")?;
        Some(Self {
            id,
            authorization: uuid("azn")?,
            grant: uuid("grt"),
            user: uuid("usr"),
            subject: text("sub")?.to_owned(),
            client_id: text("client_id")?.to_owned(),
            resources,
            scopes: match claims.get("scope") {
                None => Scopes::default(),
                Some(scope) => Scopes::parse(scope.as_str()?).ok()?,
            },
            issued_at: issued_at(id)?,
            expires_at: Timestamp::from_secs(claims.get("exp")?.as_i64()?),
            acr: text("acr").map(str::to_owned),
            auth_time: claims
                .get("auth_time")
                .and_then(Value::as_i64)
                .map(Timestamp::from_secs),
            confirmation: match claims.get("cnf") {
                None => None,
                Some(cnf) => Some(Confirmation::from_cnf(cnf)?),
            },
            details: match claims.get("authorization_details") {
                None => Details::default(),
                Some(details) => Details::from_value(details)?,
            },
        })
    }

    /// The answer to the API that owns `scope` of this token, none perhaps, as JSON (RFC 7662 §2.2).
    ///
    /// # Errors
    /// None that can be seen: text and numbers are always JSON.
    pub fn introspection(
        &self,
        issuer: &str,
        resources: &[&str],
        scope: &str,
    ) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Introspection {
            active: true,
            iss: issuer,
            sub: &self.subject,
            aud: match resources {
                [one] => Audience::One(one),
                many => Audience::Many(many),
            },
            client_id: &self.client_id,
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            token_type: self.token_type().as_str(),
            jti: self.id,
            iat: self.issued_at.secs(),
            exp: self.expires_at.secs(),
            acr: self.acr.as_deref(),
            auth_time: self.auth_time.map(Timestamp::secs),
            // RFC 9449 §6.2, RFC 8705 §3.2
            cnf: self.confirmation.as_ref().map(Confirmation::cnf),
            // RFC 9396 §9.2
            authorization_details: Some(&self.details).filter(|details| !details.is_empty()),
        })
    }

    /// How it is presented.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.confirmation
            .map_or(TokenType::Bearer, |bound| bound.token_type())
    }
}

/// What an API is told about a token that is good (RFC 7662 §2.2).
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    token_type: &'static str,
    jti: Uuid,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a Details>,
}

/// `aud`: a string for one, an array for several.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(&'a [&'a str]),
}

/// When a token was issued, to the millisecond: its identifier is a `UUIDv7`. A JWT's `iat` has
/// whole seconds only, too coarse to compare with a revocation.
fn issued_at(id: Uuid) -> Option<Timestamp> {
    let (secs, nanos) = id.get_timestamp()?.to_unix();
    let millis = i64::try_from(secs).ok()?.checked_mul(1000)?;
    Some(Timestamp::from_millis(
        millis + i64::from(nanos / 1_000_000),
    ))
}

/// `aud`: a string for one, an array for several.
fn audience(resources: &[String]) -> Value {
    match resources {
        [one] => one.clone().into(),
        many => many.into(),
    }
}
