//! Telling a client that a session ended (OpenID Connect Back-Channel Logout 1.0): the logout token,
//! what the answer means, and when to try again.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::time::Timestamp;

/// `typ` of a logout token (§2.4).
pub const TYP: &str = "logout+jwt";
/// The one member of `events` (§2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long a logout token is good: §2.4 recommends two minutes at the most.
const LIFETIME: Duration = Duration::from_mins(2);

/// How often a client is told at the most.
pub const TRIES: u32 = 8;
/// After which time it is not told any more.
pub const WINDOW: Duration = Duration::from_hours(24);
/// How long after the first failure it is told again; four times as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// What a logout token says.
#[derive(Clone, Copy, Debug)]
pub struct LogoutToken<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub client_id: &'a str,
    /// `sub`, as this client's ID tokens have it.
    pub subject: &'a str,
    /// `sid`, likewise.
    pub sid: &'a str,
    /// `jti`: another one for each token.
    pub id: Uuid,
}

impl LogoutToken<'_> {
    /// Its claims (§2.4). There is no `nonce`, so that it is never taken for an ID token.
    #[must_use]
    pub fn claims(&self, now: Timestamp) -> Map<String, Value> {
        let claims = json!({
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now.secs(),
            "exp": now.plus(LIFETIME).secs(),
            "jti": self.id.to_string(),
            "sub": self.subject,
            "sid": self.sid,
            "events": { EVENT: {} },
        });
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }
}

/// What the status of an answer means (§2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The client ended its session, or had none.
    Done,
    /// It will not, and would not the next time.
    Refused,
    /// Something is in the way; the next time may be better.
    NotYet,
}

/// Reads the status of an answer.
#[must_use]
pub const fn told(status: u16) -> Told {
    match status {
        200 | 204 => Told::Done,
        400 => Told::Refused,
        _ => Told::NotYet,
    }
}

/// When to try again after the `attempts`th try failed; never after the last one, or when the
/// session `ended` too long ago.
#[must_use]
pub fn next_try(attempts: u32, ended: Timestamp, now: Timestamp) -> Option<Timestamp> {
    if attempts >= TRIES {
        return None;
    }
    let factor = 4_u32.saturating_pow(attempts.saturating_sub(1));
    let at = now.plus(FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT));
    (at <= ended.plus(WINDOW)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_token_has_what_the_standard_asks_and_no_nonce() {
        let token = LogoutToken {
            issuer: "https://login.bank.example",
            client_id: "app",
            subject: "ada",
            sid: "seven",
            id: Uuid::from_u128(2),
        };
        let claims = token.claims(Timestamp::from_secs(1000));
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        let mut expected = ["iss", "aud", "iat", "exp", "jti", "sub", "sid", "events"];
        expected.sort_unstable();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
        assert_eq!(claims["events"], json!({ EVENT: {} }));
        assert_eq!(
            (&claims["iat"], &claims["exp"]),
            (&json!(1000), &json!(1120))
        );
    }

    #[test]
    fn two_answers_are_good_one_is_final_and_all_others_are_tried_again() {
        assert_eq!((told(200), told(204)), (Told::Done, Told::Done));
        assert_eq!(told(400), Told::Refused);
        for status in [201, 302, 307, 401, 403, 404, 405, 429, 500, 501, 503] {
            assert_eq!(told(status), Told::NotYet, "{status}");
        }
    }

    #[test]
    fn waits_grow_and_come_to_an_end_within_a_day() {
        let start = Timestamp::from_secs(1_000_000);
        let (mut now, mut attempts, mut wait) = (start, 1, Duration::ZERO);
        while let Some(next) = next_try(attempts, start, now) {
            assert!(next.since(now) >= wait && next.since(now) <= LONGEST_WAIT);
            wait = next.since(now);
            now = next;
            attempts += 1;
        }
        assert_eq!(attempts, TRIES);
        assert!(now.since(start) < WINDOW);
        assert_eq!(next_try(1, start, start.plus(WINDOW)), None);
    }
}
