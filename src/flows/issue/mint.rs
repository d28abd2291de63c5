//! The tokens themselves, made after everything was checked and committed.

use std::sync::Arc;

use rules::jose::half_hash;
use rules::protocol::claims_request::{self, ClaimsRequest};
use rules::protocol::target::Target;
use rules::protocol::{AccessRecord, Client, Confirmation, Details, Format};
use rules::time::Timestamp;
use serde_json::{Map, Value, json};

use super::check::{issued_at, manner};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Failure;
use crate::flows::token_format::{encrypt, mint_access, sign};
use crate::rng;
use crate::secret::Secret;
use crate::store::authorizations::{Authorization, OnBehalf};
use crate::store::users;

/// What tokens are minted from, after everything was committed.
pub struct Issuance {
    /// For whom.
    pub client: Arc<Client>,
    /// When it was decided: what is revoked after that voids the tokens, however late they are made.
    pub at: Timestamp,
    /// What they point to.
    pub authorization: Authorization,
    /// What of it they carry.
    pub target: Target,
    /// What they carry beyond scopes.
    pub details: Details,
    /// The refresh token to hand out.
    pub refresh_token: Option<Secret>,
    /// Whether an ID token goes along.
    pub id_token: bool,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// What the access token is bound to.
    pub confirmation: Option<Confirmation>,
}

/// The tokens, as they leave (RFC 6749 §5.1).
pub async fn mint(app: &App, issuance: Issuance) -> Result<Value, Failure> {
    let Issuance {
        client,
        at,
        authorization,
        target,
        details,
        refresh_token,
        id_token: with_id_token,
        nonce,
        confirmation,
    } = issuance;
    let (format, lifetime) = manner(&app.registry.now(), &target)?
        .unwrap_or((Format::Opaque, app.config.lifetimes.access_token));
    let expires_at = at.plus(lifetime).min(authorization.expires_at);
    let person = authorization.person.as_ref();
    let record = AccessRecord {
        id: rng::uuid(at)?,
        authorization: authorization.id,
        grant: person.map(|p| p.grant_id),
        user: person.map(|p| p.user_id),
        subject: subject(app, &client, person),
        client_id: client.id.clone(),
        resources: audience(app, &target),
        scopes: target.scopes.clone(),
        issued_at: issued_at(&authorization, at),
        expires_at,
        acr: person.map(|p| p.acr.clone()),
        auth_time: person.map(|p| p.auth_time),
        confirmation,
        details,
    };
    let access = mint_access(app, &record, format).await?;
    let mut answer = json!({
        "access_token": access.expose(),
        "token_type": record.token_type().as_str(),
        "expires_in": expires_at.since(at).as_secs(),
    });
    // RFC 6749 §5.1: where none was asked for, details alone perhaps, nothing is said of any.
    if !target.scopes.is_empty() {
        answer["scope"] = target.scopes.to_string().into();
    }
    if !record.details.is_empty() {
        // RFC 9396 §7
        answer["authorization_details"] = record.details.to_value();
    }
    if let Some(refresh) = refresh_token {
        answer["refresh_token"] = refresh.expose().into();
    }
    if let Some(person) = person.filter(|_| with_id_token) {
        let alg = client.id_token_signed_response_alg;
        let asked = authorization.claims.left_to(&client);
        let mut claims = Box::pin(about_her(app, person, &asked)).await?;
        let own = IdToken {
            client: &client,
            record: &record,
            person,
            at,
            at_hash: half_hash(alg, access.expose()),
            nonce,
        };
        claims.extend(own.claims(app));
        let signed = Box::pin(sign(app, alg, None, claims)).await?;
        let encryption = client.metadata.id_token_encryption();
        answer["id_token"] = encrypt(&client, encryption, signed)?.expose().into();
    }
    Ok(answer)
}

/// `sub`: the person as this client knows her, or the client itself.
fn subject(app: &App, client: &Client, person: Option<&OnBehalf>) -> String {
    person.map_or_else(
        || client.id.clone(),
        |person| app.subject(client, person.user_id),
    )
}

/// What the ID token tells about the person: only what was asked for there, claim by claim. With a
/// code, what the scopes ask for is told at userinfo (OpenID Connect Core §5.4).
async fn about_her(
    app: &App,
    person: &OnBehalf,
    asked: &ClaimsRequest,
) -> Result<Map<String, Value>, Fault> {
    if asked.id_token.is_empty() {
        return Ok(Map::new());
    }
    let id = person.user_id;
    let found = app
        .store
        .read(move |tx| Box::pin(users::find(tx, id)))
        .await?;
    Ok(found
        .map(|user| claims_request::told(&user.profile.claims, &asked.id_token))
        .unwrap_or_default())
}

/// What an ID token says beside what it tells about the person.
struct IdToken<'a> {
    client: &'a Client,
    record: &'a AccessRecord,
    person: &'a OnBehalf,
    at: Timestamp,
    at_hash: String,
    nonce: Option<String>,
}

impl IdToken<'_> {
    /// Its claims (OpenID Connect Core §2).
    fn claims(self, app: &App) -> Map<String, Value> {
        let (person, now) = (self.person, self.at);
        let amr: Vec<&str> = person.amr.split(' ').collect();
        let claims = json!({
            "iss": app.config.issuer.as_str(),
            "sub": self.record.subject,
            "aud": self.record.client_id,
            "iat": now.secs(),
            "exp": now.plus(app.config.lifetimes.id_token).secs(),
            "auth_time": person.auth_time.secs(),
            "acr": person.acr,
            "amr": amr,
            "sid": app.sid(self.client, person.session_id),
            "at_hash": self.at_hash,
        });
        let mut claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        claims
    }
}

/// The APIs a token is good for, and this server itself when userinfo may be asked.
fn audience(app: &App, target: &Target) -> Vec<String> {
    let mut audience = target.resources.clone();
    if audience.is_empty() || target.scopes.contains("openid") {
        audience.push(app.config.issuer.as_str().to_owned());
    }
    audience
}
