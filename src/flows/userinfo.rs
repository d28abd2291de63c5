//! Userinfo (OpenID Connect Core §5.3).

use rules::protocol::{
    AccessRecord, Client, Confirmation, ErrorCode, OAuthError, Possession, Thumbprint, TokenType,
    claims, claims_request,
};
use serde_json::{Map, Value};

use super::introspect::standing;
use super::prove::{Shown, Target, prove};
use super::token_format::{encrypt, seal, sign};
use super::{Failure, limit};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::Whose;
use crate::secret::Secret;
use crate::store::authorizations;
use crate::store::users::{self, UserState};

/// What is told, as the client registered for it.
pub enum Told {
    /// Plain JSON.
    Json(Value),
    /// A JWT: signed, encrypted or both, as the client registered.
    Jwt(Secret),
}

/// Whether the token is good here: one for an API alone is not (RFC 9068 §4).
fn for_us(record: &AccessRecord, app: &App) -> bool {
    let issuer = app.config.issuer.as_str();
    record.resources.iter().any(|uri| uri == issuer)
}

/// An access token as it came with a request.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// Under which scheme.
    pub scheme: TokenType,
    /// The proof beside it.
    pub proof: Option<&'a str>,
    /// The HTTP method and where the request was sent; none when it is not known.
    pub sent: Option<(&'a str, Target<'a>)>,
    /// The certificate of the TLS connection.
    pub certificate: Option<Thumbprint>,
}

/// The detail of a refusal that no proof would mend, but the right certificate.
pub const BOUND_TO_CERTIFICATE: &str = "certificate";

fn invalid(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, why)
}

/// What the token's scopes, and the claims asked for one by one, let the client know about the
/// person; and a nonce for the next proof, when it is time for one.
pub async fn userinfo(
    app: &App,
    presented: Presented<'_>,
) -> Result<(Told, Option<String>), Failure> {
    let record = standing(app, presented.token).await?.map_err(|reason| {
        invalid("the access token is unknown, expired or revoked; get a new one")
            .about("token")
            .detail(reason)
    })?;
    limit::take(app, Limit::UserinfoPerToken, Whose::Token(record.id))?;
    let client = app.registry.client(&record.client_id);
    let client = client.ok_or_else(|| invalid("the client behind the token is gone"))?;
    let next_nonce = held(app, &client, &record, presented).await?;
    let told = tell(app, &client, &record).await?;
    Ok((told, next_nonce))
}

/// Whether whoever presents a token holds what it is bound to; gives a nonce for the next proof, when
/// it is time for one.
///
/// # Errors
/// `invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`, all of them with 401.
pub(super) async fn held(
    app: &App,
    client: &Client,
    record: &AccessRecord,
    presented: Presented<'_>,
) -> Result<Option<String>, Failure> {
    if presented.scheme != record.token_type() {
        // RFC 9449 §7.1, §7.2: no downgrade of one to the other.
        let why = match record.token_type() {
            TokenType::Dpop => {
                "the access token is bound to a key; send it as DPoP, with a proof in the DPoP header"
            }
            TokenType::Bearer => "the access token is not bound to a key; send it as Bearer",
        };
        return Err(invalid(why).about("bound").into());
    }
    let mut possession = Possession {
        key: None,
        certificate: presented.certificate,
    };
    let mut next_nonce = None;
    if presented.scheme == TokenType::Dpop {
        let jwt = presented.proof.ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "the access token is bound to a key; send a proof in the DPoP header",
            )
            .about("missing")
        })?;
        let (method, target) = presented.sent.ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "the access token is bound to a key, and the proof cannot be checked: the proxy does \
                 not tell the method and the address of the request",
            )
            .about("proof-target")
            .detail("nothing_forwarded")
        })?;
        let shown = Shown {
            jwt,
            method,
            target,
            access_token: Some(presented.token),
        };
        let proved = prove(app, client, shown).await?;
        possession.key = Some(proved.key);
        next_nonce = proved.next_nonce;
    }
    match record.confirmation {
        Some(bound) if !possession.confirms(&bound) => {
            let why = "the access token is bound to another key or certificate";
            let what = match bound {
                Confirmation::Jkt(_) => "key",
                Confirmation::X5tS256(_) => BOUND_TO_CERTIFICATE,
            };
            Err(invalid(why).about("bound").detail(what).into())
        }
        _ => Ok(next_nonce),
    }
}

async fn tell(app: &App, client: &Client, record: &AccessRecord) -> Result<Told, Failure> {
    let user = match record.user {
        Some(user) if record.scopes.contains("openid") && for_us(record, app) => user,
        _ => {
            return Err(Failure::Refused(OAuthError::new(
                ErrorCode::InsufficientScope,
                "the access token has no openid scope",
            )));
        }
    };
    let authorization = record.authorization;
    let (found, asked) = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let found = users::find(tx, user).await?;
                Ok((found, authorizations::claims(tx, authorization).await?))
            })
        })
        .await?;
    let Some(user) = found.filter(|user| user.state == UserState::Active) else {
        return Err(invalid("the account behind the token is gone").into());
    };
    let known = &user.profile.claims;
    let mut told = claims::granted(known, &record.scopes);
    let asked = asked.left_to(client);
    told.extend(claims_request::told(known, &asked.userinfo));
    told.insert("sub".to_owned(), record.subject.clone().into());
    as_registered(app, client, told).await
}

/// OpenID Connect Core §5.3.2: signed answers name issuer and client; they are encrypted afterwards.
async fn as_registered(
    app: &App,
    client: &Client,
    mut told: Map<String, Value>,
) -> Result<Told, Failure> {
    let encryption = client.metadata.userinfo_encryption();
    let Some(alg) = client.metadata.userinfo_signed_response_alg else {
        let told = Value::Object(told);
        return Ok(match encryption {
            Some(how) => Told::Jwt(seal(client, how, (told.to_string().as_bytes(), None))?),
            None => Told::Json(told),
        });
    };
    told.insert("iss".to_owned(), app.config.issuer.as_str().into());
    told.insert("aud".to_owned(), client.id.clone().into());
    let signed = sign(app, alg, None, told).await?;
    Ok(Told::Jwt(encrypt(client, encryption, signed)?))
}
