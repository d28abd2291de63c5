//! `id_token_hint` (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2): an ID token that this
//! server gave to a client and that comes back to say whom is meant.

use rules::jose::{self, Alg};
use rules::protocol::Client;
use serde_json::{Map, Value};

use crate::app::App;

/// What ID tokens are signed with.
const SIGNED_BY: [Alg; 4] = [Alg::Rs256, Alg::Es256, Alg::Ps256, Alg::EdDsa];

/// An ID token of ours. It may have expired, and its session may be over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// `sub`: the person, as the clients in `audience` know her.
    pub subject: String,
    /// `sid`: the session, as they know it.
    pub sid: Option<String>,
    /// `aud`: the clients that it was given to.
    pub audience: Vec<String>,
}

impl Hint {
    /// Whether it was given to this client.
    #[must_use]
    pub fn is_for(&self, client: &Client) -> bool {
        self.audience.contains(&client.id)
    }
}

/// Reads a hint; `None` for everything that is no ID token of ours: another issuer's, one that is
/// unsigned or signed by a foreign key, another kind of token. Keys that were withdrawn do not count,
/// because nobody says of them any more that they are ours alone; each stays published for longer than
/// any session lasts, so that whoever is still signed in can be named (RP-Initiated Logout §2).
#[must_use]
pub fn read(app: &App, token: &str) -> Option<Hint> {
    let verified = jose::verify(token, &SIGNED_BY, app.keys.now().published()).ok()?;
    // RFC 8725 §3.11: an access token or a logout token is no ID token. Ours have no `typ`.
    let typ = verified.header.typ.as_deref();
    if !typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt")) {
        return None;
    }
    let claims = verified.payload;
    let issuer = app.config.issuer.as_str();
    // A signed answer of userinfo has neither `exp` nor `auth_time`.
    let is_id_token = text(&claims, "iss") == Some(issuer)
        && claims.get("exp").is_some_and(Value::is_i64)
        && claims.get("auth_time").is_some_and(Value::is_i64);
    if !is_id_token {
        return None;
    }
    Some(Hint {
        subject: text(&claims, "sub")?.to_owned(),
        sid: text(&claims, "sid").map(str::to_owned),
        audience: audience(&claims)?,
    })
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

fn audience(claims: &Map<String, Value>) -> Option<Vec<String>> {
    match claims.get("aud")? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many
            .iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}
