//! ID tokens of the institution's own provider (`OpenID` Connect Core §3.1.3.7): whether one is about a
//! sign-in that was asked for here, and what it says of it.

use std::time::Duration;

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::numeric_date;
use crate::jose::{self, Alg, JwkSet};
use crate::time::Timestamp;

/// How far its clock and ours may lie apart.
pub const LEEWAY: Duration = Duration::from_mins(1);

/// The longest subject (§2: 255 ASCII characters).
const LONGEST_SUBJECT: usize = 255;

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Whose token.
    pub issuer: &'a str,
    /// For whom: this server, as the provider knows it.
    pub client_id: &'a str,
    /// What was sent along when it was asked for.
    pub nonce: &'a str,
    /// How long before it was asked for the person may have signed in there (`max_age`).
    pub max_age: Duration,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Who she is there.
    pub subject: String,
    /// The class of her sign-in there.
    pub acr: Option<String>,
    /// The methods of it.
    pub amr: Vec<String>,
    /// When she signed in there; not later than now.
    pub auth_time: Timestamp,
}

/// Which sign-ins there are taken for two factors. Empty, none is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Classes.
    pub acr: Vec<String>,
    /// Methods, one of which is enough.
    pub amr: Vec<String>,
}

impl Trusted {
    /// Whether this one is.
    #[must_use]
    pub fn believes(&self, vouched: &Vouched) -> bool {
        let by_class = vouched
            .acr
            .as_ref()
            .is_some_and(|acr| self.acr.contains(acr));
        by_class || vouched.amr.iter().any(|method| self.amr.contains(method))
    }
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its form, its algorithm, its key or its signature is not right.
    Signature(jose::JwsError),
    /// Another provider's.
    Issuer,
    /// For another client, or for several of which this is not the one that asked.
    Audience,
    /// Expired, from the future, or without its times.
    Time,
    /// Not what was asked for in this browser.
    Nonce,
    /// It names nobody.
    Subject,
    /// She signed in there too long ago, or nobody knows when.
    TooOld,
}

impl Refused {
    /// A stable word, for counting.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Signature(_) => "wrong_signature",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
            Self::Time => "wrong_time",
            Self::Nonce => "wrong_nonce",
            Self::Subject => "no_subject",
            Self::TooOld => "wrong_auth_time",
        }
    }
}

/// Verifies an ID token with the keys of the provider. Only asymmetric algorithms are known, so `none`
/// and a MAC under the client's secret are refused.
///
/// # Errors
/// [`Refused`].
pub fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Vouched, Refused> {
    let verified = jose::verify(token, &Alg::ALL, keys).map_err(Refused::Signature)?;
    let claims = verified.payload;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // §3.1.3.7 (2)
    if text("iss") != Some(expected.issuer) {
        return Err(Refused::Issuer);
    }
    if !is_for(&claims, expected.client_id) {
        return Err(Refused::Audience);
    }
    if !is_timely(&claims, expected.now) {
        return Err(Refused::Time);
    }
    // (11)
    let nonce = text("nonce").unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Refused::Nonce);
    }
    let subject = text("sub").unwrap_or_default();
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT || !subject.is_ascii() {
        return Err(Refused::Subject);
    }
    // (13): `max_age` was sent, so the time must be there.
    let auth_time = claims.get("auth_time").and_then(numeric_date::read);
    let auth_time = auth_time.ok_or(Refused::TooOld)?;
    let earliest = expected.asked_at.minus(expected.max_age).minus(LEEWAY);
    if auth_time < earliest || auth_time > expected.now.plus(LEEWAY) {
        return Err(Refused::TooOld);
    }
    let methods = claims.get("amr").and_then(Value::as_array);
    let methods = methods.into_iter().flatten().filter_map(Value::as_str);
    Ok(Vouched {
        subject: subject.to_owned(),
        acr: text("acr").map(str::to_owned),
        amr: methods.map(str::to_owned).collect(),
        auth_time: auth_time.min(expected.now),
    })
}

/// (3) to (5): this client is an audience and, when there are others or one is named, the one that asked.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let (named, alone) = match claims.get("aud") {
        Some(Value::String(one)) => (one == client_id, true),
        Some(Value::Array(all)) => (
            all.iter().any(|one| one.as_str() == Some(client_id)),
            all.len() == 1,
        ),
        _ => (false, false),
    };
    let asked = claims.get("azp");
    named && asked.map_or(alone, |azp| azp.as_str() == Some(client_id))
}

/// (9), (10)
fn is_timely(claims: &Map<String, Value>, now: Timestamp) -> bool {
    let time = |name: &str| claims.get(name).and_then(numeric_date::read);
    let (Some(expires), Some(issued)) = (time("exp"), time("iat")) else {
        return false;
    };
    let begun = match claims.get("nbf") {
        None => true,
        Some(value) => numeric_date::read(value).is_some_and(|nbf| nbf <= now.plus(LEEWAY)),
    };
    expires.plus(LEEWAY) > now && issued <= now.plus(LEEWAY) && begun
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;
    use crate::jose::SigningKey;

    const NOW: i64 = 1_800_000_000;

    fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://login.bank.example",
            client_id: "countersign",
            nonce: "n-0S6_WzA2Mj",
            max_age: Duration::from_mins(10),
            asked_at: Timestamp::from_secs(NOW - 30),
            now: Timestamp::from_secs(NOW),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "https://login.bank.example",
            "sub": "24400320",
            "aud": "countersign",
            "nonce": "n-0S6_WzA2Mj",
            "exp": NOW + 300,
            "iat": NOW,
            "auth_time": NOW - 100,
            "acr": "urn:bank:mfa",
            "amr": ["pwd", "otp"],
        })
    }

    fn judged(change: impl FnOnce(&mut Value)) -> Result<Vouched, Refused> {
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let keys = JwkSet::new(vec![key.public_jwk().clone()]).unwrap();
        let mut claims = claims();
        change(&mut claims);
        verify(&key.sign(None, &claims).unwrap(), &keys, &expected())
    }

    #[test]
    fn a_right_token_says_who_how_and_when() {
        let vouched = judged(|_| ()).unwrap();
        assert_eq!(vouched.subject, "24400320");
        assert_eq!(vouched.acr.as_deref(), Some("urn:bank:mfa"));
        assert_eq!(vouched.amr, ["pwd", "otp"]);
        assert_eq!(vouched.auth_time.secs(), NOW - 100);
        assert!(judged(|c| c["aud"] = json!(["countersign"])).is_ok());
        let several = |c: &mut Value| {
            c["aud"] = json!(["countersign", "other"]);
            c["azp"] = json!("countersign");
        };
        assert!(judged(several).is_ok());
    }

    #[test]
    fn whatever_is_not_right_is_refused() {
        type Wrong = (&'static str, Value, Refused);
        let table: [Wrong; 22] = [
            ("iss", json!("https://other.example"), Refused::Issuer),
            ("iss", json!("https://login.bank.example/"), Refused::Issuer),
            ("iss", json!(null), Refused::Issuer),
            ("aud", json!("other"), Refused::Audience),
            ("aud", json!(["other"]), Refused::Audience),
            ("aud", json!([]), Refused::Audience),
            ("aud", json!(["countersign", "other"]), Refused::Audience),
            ("azp", json!("other"), Refused::Audience),
            ("azp", json!(null), Refused::Audience),
            ("exp", json!(NOW - 60), Refused::Time),
            ("exp", json!(null), Refused::Time),
            ("iat", json!(NOW + 61), Refused::Time),
            ("iat", json!("soon"), Refused::Time),
            ("nbf", json!(NOW + 61), Refused::Time),
            ("nonce", json!("other"), Refused::Nonce),
            ("nonce", json!(null), Refused::Nonce),
            ("sub", json!(""), Refused::Subject),
            ("sub", json!(17), Refused::Subject),
            ("sub", json!("x".repeat(256)), Refused::Subject),
            ("auth_time", json!(null), Refused::TooOld),
            ("auth_time", json!(NOW - 691), Refused::TooOld),
            ("auth_time", json!(NOW + 61), Refused::TooOld),
        ];
        for (claim, value, why) in table {
            let shown = format!("{claim}: {value}");
            assert_eq!(judged(|c| c[claim] = value), Err(why), "{shown}");
        }
    }

    #[test]
    fn another_key_and_no_algorithm_are_refused() {
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let other = SigningKey::generate(Alg::Es256).unwrap();
        let keys = JwkSet::new(vec![other.public_jwk().clone()]).unwrap();
        let token = key.sign(None, &claims()).unwrap();
        let refused = verify(&token, &keys, &expected());
        assert!(matches!(refused, Err(Refused::Signature(_))));
        let payload = token.split('.').nth(1).unwrap();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
        let refused = verify(&unsigned, &keys, &expected());
        assert!(matches!(refused, Err(Refused::Signature(_))));
    }

    #[test]
    fn nothing_is_believed_that_is_not_named() {
        let vouched = judged(|_| ()).unwrap();
        assert!(!Trusted::default().believes(&vouched));
        let list = |text: &str| vec![text.to_owned()];
        let table = [
            (list("urn:bank:mfa"), vec![], true),
            (list("urn:bank:other"), list("mfa"), false),
            (list("urn:bank:other"), list("otp"), true),
            (list("otp"), list("urn:bank:mfa"), false),
        ];
        for (acr, amr, believed) in table {
            let trusted = Trusted { acr, amr };
            assert_eq!(trusted.believes(&vouched), believed, "{trusted:?}");
        }
    }
}
