//! Logout at Pocket Budget: what it asks of the bank when a person signs out here, and what it does
//! when the bank says that her session there ended (OpenID Connect Back-Channel Logout 1.0 §2.6).

use rules::jose::{Alg, JwkSet, Verified, verify};
use rules::protocol::backchannel::{EVENT, TYP};
use rules::time::Timestamp;

/// How far the bank's clock may be ahead, in seconds.
const AHEAD: i64 = 30;

/// Which of the bank's sessions a logout token says has ended.
///
/// # Errors
/// Why the token is not acted on.
pub fn ended_session(
    token: &str,
    keys: &JwkSet,
    (issuer, client_id): (&str, &str),
    now: Timestamp,
) -> Result<String, String> {
    let verified = verify(token, &[Alg::Rs256, Alg::Es256], keys).map_err(|e| e.to_string())?;
    let text = |name: &str| verified.payload.get(name).and_then(|value| value.as_str());
    let time = |name: &str| {
        verified
            .payload
            .get(name)
            .and_then(serde_json::Value::as_i64)
    };
    let named = verified
        .payload
        .get("events")
        .and_then(|events| events.get(EVENT));
    let demands = [
        (is_logout(&verified), "it is no logout token"),
        (text("iss") == Some(issuer), "it comes from somebody else"),
        (text("aud") == Some(client_id), "it is for somebody else"),
        (
            named.is_some_and(serde_json::Value::is_object),
            "it names no logout",
        ),
        (!verified.payload.contains_key("nonce"), "it has a nonce"),
        (
            time("exp").is_some_and(|exp| now.secs() < exp),
            "it is too old",
        ),
        (
            time("iat").is_some_and(|iat| iat <= now.secs() + AHEAD),
            "it is from the future",
        ),
    ];
    if let Some((_, why)) = demands.into_iter().find(|(holds, _)| !holds) {
        return Err(why.to_owned());
    }
    let sid = text("sid").map(str::to_owned);
    sid.ok_or_else(|| "it names no session".to_owned())
}

fn is_logout(token: &Verified) -> bool {
    let typ = token.header.typ.as_deref();
    typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYP))
}

#[cfg(test)]
mod tests {
    use rules::jose::SigningKey;
    use serde_json::{Value, json};

    use super::*;

    const BANK: (&str, &str) = ("http://localhost:9400", "pocket-budget");

    fn read(typ: Option<&str>, claims: &Value) -> Result<String, String> {
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let keys = JwkSet::new(vec![key.public_jwk().clone()]).unwrap();
        let token = key.sign(typ, claims).unwrap();
        let stranger = SigningKey::generate(Alg::Es256).unwrap();
        let foreign = stranger.sign(typ, claims).unwrap();
        let now = Timestamp::from_secs(1000);
        assert!(ended_session(&foreign, &keys, BANK, now).is_err());
        ended_session(&token, &keys, BANK, now)
    }

    fn good() -> Value {
        json!({
            "iss": BANK.0, "aud": BANK.1, "iat": 990, "exp": 1110, "jti": "1", "sub": "ada",
            "sid": "seven", "events": { EVENT: {} },
        })
    }

    #[test]
    fn a_logout_token_names_the_session() {
        assert_eq!(read(Some(TYP), &good()), Ok("seven".to_owned()));
    }

    #[test]
    fn anything_else_ends_nothing() {
        for typ in [None, Some("JWT"), Some("at+jwt")] {
            assert!(read(typ, &good()).is_err(), "{typ:?}");
        }
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("other")),
            ("iat", json!(2000)),
            ("exp", json!(1000)),
            ("events", json!({})),
            ("events", json!({ EVENT: true })),
            ("nonce", json!("n")),
            ("sid", Value::Null),
        ] {
            let mut claims = good();
            claims[name] = value;
            assert!(read(Some(TYP), &claims).is_err(), "{claims}");
        }
    }
}
