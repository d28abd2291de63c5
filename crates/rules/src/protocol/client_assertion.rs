//! Client assertions: how a client proves who it is with a signed JWT (RFC 7523 §3, with the
//! audience as RFC 10070 wants it).
//!
//! Here is what the claims must say. That the signature holds, and by which algorithm, is checked
//! before; that the assertion is used only once, after, with the [`AssertionId`].

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::numeric_date;
use crate::jose::printable;
use crate::time::Timestamp;

/// How far ahead of this server's clock `iat` and `nbf` may lie (FAPI 2.0 Security Profile
/// §5.3.2.1), and by how much `exp` may pass its limit for the same reason.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(10);

/// How far ahead `exp` may lie. Each assertion is remembered until then.
pub const MAX_LIFETIME: Duration = Duration::from_mins(10);

/// The longest `jti`, in bytes.
pub const MAX_JTI_BYTES: usize = 256;

/// What an assertion must say to be this client's, for this server.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The client that the request is from.
    pub client_id: &'a str,
    /// This server's issuer identifier.
    pub issuer: &'a str,
    /// Which audiences are accepted.
    pub accepted_audiences: Audiences<'a>,
    /// The present.
    pub now: Timestamp,
}

/// Which values of `aud` are accepted; decided by the client's profile.
#[derive(Clone, Copy, Debug)]
pub enum Audiences<'a> {
    /// The issuer identifier as a JSON string (profile `fapi2`; RFC 10070).
    IssuerString,
    /// The issuer identifier as a string or as the only element of an array (profile `oauth21`).
    IssuerAlone,
    /// The issuer identifier or one of these endpoint URLs, as a string or in an array (profile
    /// `compat`; OIDC Core §9).
    IssuerOr(&'a [&'a str]),
}

/// What makes an assertion unusable a second time: the id, to be remembered for this
/// client until the expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionId {
    /// The id: 1 to [`MAX_JTI_BYTES`] bytes.
    pub jti: String,
    /// When the assertion expires.
    pub exp: Timestamp,
}

/// Checks the claims of an assertion whose signature holds.
pub fn check(
    claims: &Map<String, Value>,
    expect: &Expectation<'_>,
) -> Result<AssertionId, AssertionError> {
    // RFC 7523 §3 (1), (2): for client authentication both are the client's id.
    for name in ["iss", "sub"] {
        if string(claims, name)? != expect.client_id {
            return Err(AssertionError::NotTheClient(name));
        }
    }
    check_audience(claims.get("aud"), expect)?;

    // RFC 7523 §3 (4): not on or after exp.
    let exp = time(claims, "exp")?.ok_or(AssertionError::Missing("exp"))?;
    if exp <= expect.now {
        return Err(AssertionError::Expired {
            seconds: seconds(expect.now.since(exp)),
        });
    }
    if exp.since(expect.now) > MAX_LIFETIME + CLOCK_LEEWAY {
        return Err(AssertionError::TooLong {
            seconds: seconds(exp.since(expect.now)),
        });
    }
    // RFC 7523 §3 (5), (6), with the tolerance of FAPI 2.0 Security Profile §5.3.2.1.
    for name in ["iat", "nbf"] {
        let ahead = time(claims, name)?.map_or(Duration::ZERO, |at| at.since(expect.now));
        if ahead > CLOCK_LEEWAY {
            return Err(AssertionError::Ahead {
                claim: name,
                seconds: seconds(ahead),
            });
        }
    }
    // RFC 7523 §3 (7), required here so that an assertion cannot be used twice.
    let jti = string(claims, "jti")?;
    if jti.is_empty() || jti.len() > MAX_JTI_BYTES {
        return Err(AssertionError::JtiLength);
    }
    Ok(AssertionId {
        jti: jti.to_owned(),
        exp,
    })
}

/// Refuses an assertion that may have been used before `epoch`: a restored server does not remember
/// which were. One that does not say when it was made counts as made as early as it could be.
pub fn check_epoch(claims: &Map<String, Value>, epoch: Timestamp) -> Result<(), AssertionError> {
    let made = match (time(claims, "iat")?, time(claims, "nbf")?) {
        (None, None) => time(claims, "exp")?.map(|exp| exp.minus(MAX_LIFETIME + CLOCK_LEEWAY)),
        (iat, nbf) => iat.or(nbf),
    };
    match made {
        // One that said it was made a little ahead may have been used a little before.
        Some(made) if made.minus(CLOCK_LEEWAY) > epoch => Ok(()),
        _ => Err(AssertionError::BeforeEpoch),
    }
}

/// Checks the `typ` of the assertion's header: absent, `JWT` or `client-authentication+jwt`. Any
/// other says that the token was made for something else (RFC 8725 §3.11).
pub fn check_typ(typ: Option<&str>) -> Result<(), AssertionError> {
    let Some(typ) = typ else { return Ok(()) };
    // RFC 7515 §4.1.9: the prefix may be left out; media types ignore case.
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/").unwrap_or(&lower) {
        "jwt" | "client-authentication+jwt" => Ok(()),
        _ => Err(AssertionError::Typ(printable(typ))),
    }
}

/// RFC 7523 §3 (3) as updated by RFC 10070: the audience is this server, and says so
/// in a way that no other server can be meant by.
fn check_audience(aud: Option<&Value>, expect: &Expectation<'_>) -> Result<(), AssertionError> {
    let aud = aud.ok_or(AssertionError::Missing("aud"))?;
    let is_issuer = |value: &Value| value.as_str() == Some(expect.issuer);
    let accepted = match (expect.accepted_audiences, aud) {
        (_, Value::String(_)) if is_issuer(aud) => true,
        (Audiences::IssuerAlone, Value::Array(list)) => {
            matches!(list.as_slice(), [only] if is_issuer(only))
        }
        (Audiences::IssuerOr(endpoints), Value::String(one)) => endpoints.contains(&one.as_str()),
        (Audiences::IssuerOr(endpoints), Value::Array(list)) => {
            let strings = list.iter().all(Value::is_string);
            strings
                && list.iter().any(|one| {
                    is_issuer(one) || one.as_str().is_some_and(|one| endpoints.contains(&one))
                })
        }
        _ => false,
    };
    if accepted {
        return Ok(());
    }
    Err(AssertionError::Audience {
        issuer: printable(expect.issuer),
        as_array: aud.is_array(),
    })
}

fn string<'c>(
    claims: &'c Map<String, Value>,
    name: &'static str,
) -> Result<&'c str, AssertionError> {
    match claims.get(name) {
        None => Err(AssertionError::Missing(name)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(AssertionError::NotAString(name)),
    }
}

fn time(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Timestamp>, AssertionError> {
    claims
        .get(name)
        .map(|value| numeric_date::read(value).ok_or(AssertionError::NotATime(name)))
        .transpose()
}

/// Seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Why an assertion is refused. The message is for the client's developer; it keeps to the
/// characters that RFC 6749 §5.2 allows. All of these mean `invalid_client`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertionError {
    /// A required claim is missing.
    Missing(&'static str),
    /// The claim is not a string.
    NotAString(&'static str),
    /// The claim is not a number of seconds, or one beyond the year 9999.
    NotATime(&'static str),
    /// `iss` or `sub` is not the client's id.
    NotTheClient(&'static str),
    /// The assertion is not for this server, or does not say so in the way asked for.
    Audience {
        /// What `aud` should be; printable.
        issuer: String,
        /// Whether an array was sent.
        as_array: bool,
    },
    /// `exp` is past.
    Expired {
        /// For how many seconds.
        seconds: u64,
    },
    /// `exp` is further ahead than [`MAX_LIFETIME`].
    TooLong {
        /// How far, in seconds.
        seconds: u64,
    },
    /// `iat` or `nbf` is further ahead than [`CLOCK_LEEWAY`].
    Ahead {
        /// Which one.
        claim: &'static str,
        /// How far, in seconds.
        seconds: u64,
    },
    /// `jti` is empty or too long.
    JtiLength,
    /// It was made before this server's database was restored.
    BeforeEpoch,
    /// The header's `typ` names another kind of token.
    Typ(String),
}

impl AssertionError {
    /// Which part of the page about `invalid_client` explains it.
    #[must_use]
    pub const fn topic(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "assertion-audience",
            Self::NotATime(_)
            | Self::Expired { .. }
            | Self::TooLong { .. }
            | Self::Ahead { .. } => "assertion-time",
            _ => "assertion",
        }
    }
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(claim) => write!(f, "the client assertion needs the claim {claim}"),
            Self::NotAString(claim) => {
                write!(f, "{claim} of the client assertion must be a string")
            }
            Self::NotATime(claim) => write!(
                f,
                "{claim} of the client assertion must be a number of seconds since 1970 (not \
                 milliseconds, not a string)"
            ),
            Self::NotTheClient(claim) => write!(
                f,
                "{claim} of the client assertion must be the client_id of the client that sends it"
            ),
            Self::Audience {
                issuer,
                as_array: false,
            } => write!(
                f,
                "aud of the client assertion must be this server's issuer identifier, {issuer}"
            ),
            Self::Audience {
                issuer,
                as_array: true,
            } => write!(
                f,
                "aud of the client assertion must be this server's issuer identifier as a string, \
                 not an array: {issuer}"
            ),
            Self::Expired { seconds } => write!(
                f,
                "the client assertion expired {seconds} seconds ago by this server's clock; make a \
                 new one for each request, and check the clock of the client's machine"
            ),
            Self::TooLong { seconds } => write!(
                f,
                "exp is {seconds} seconds ahead of this server's clock and may be at most {}; use \
                 60, or check the clock of the client's machine",
                MAX_LIFETIME.as_secs()
            ),
            Self::Ahead { claim, seconds } => write!(
                f,
                "{claim} is {seconds} seconds ahead of this server's clock; check the clock of the \
                 client's machine"
            ),
            Self::JtiLength => write!(
                f,
                "jti of the client assertion must be 1 to {MAX_JTI_BYTES} bytes long, and new for \
                 each assertion"
            ),
            Self::BeforeEpoch => f.write_str(
                "the client assertion was made before this server was restored from a backup; make \
                 a new one for each request, with iat, and check the clock of the client's machine",
            ),
            Self::Typ(typ) => write!(
                f,
                "typ {typ} is not that of a client assertion; use client-authentication+jwt or JWT"
            ),
        }
    }
}

impl std::error::Error for AssertionError {}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::needless_pass_by_value,
        reason = "tests may panic, and read better with values"
    )]

    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const ISSUER: &str = "https://id.bank.example";
    const PAR: &str = "https://id.bank.example/par";
    const TOKEN: &str = "https://id.bank.example/token";

    /// What the FAPI conformance suite sends, changed by `change` (null removes a claim).
    fn claims(change: Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "app", "sub": "app", "aud": ISSUER, "jti": "a1",
            "iat": NOW, "nbf": NOW, "exp": NOW + 60,
        });
        let map = claims.as_object_mut().unwrap();
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                map.remove(name);
            } else {
                map.insert(name.clone(), value.clone());
            }
        }
        map.clone()
    }

    fn checked(change: Value, audiences: Audiences<'_>) -> Result<AssertionId, AssertionError> {
        let expect = Expectation {
            client_id: "app",
            issuer: ISSUER,
            accepted_audiences: audiences,
            now: Timestamp::from_secs(NOW),
        };
        check(&claims(change), &expect)
    }

    fn fapi(change: Value) -> Result<AssertionId, AssertionError> {
        checked(change, Audiences::IssuerString)
    }

    fn wrong_audience(result: Result<AssertionId, AssertionError>) -> bool {
        matches!(result, Err(AssertionError::Audience { .. }))
    }

    #[test]
    fn the_assertion_of_the_conformance_suite_is_accepted() {
        let id = fapi(json!({})).unwrap();
        assert_eq!(id.jti, "a1");
        assert_eq!(id.exp, Timestamp::from_secs(NOW + 60));
    }

    #[test]
    fn an_audience_array_is_refused_in_fapi2_even_with_the_issuer_in_it() {
        assert!(wrong_audience(fapi(json!({"aud": [ISSUER]}))));
        assert!(wrong_audience(fapi(json!({"aud": [ISSUER, TOKEN]}))));
    }

    #[test]
    fn an_endpoint_as_audience_is_refused_outside_of_compat() {
        for endpoint in [PAR, TOKEN, "https://id.bank.example/"] {
            assert!(wrong_audience(fapi(json!({"aud": endpoint}))));
            let oauth21 = checked(json!({"aud": endpoint}), Audiences::IssuerAlone);
            assert!(wrong_audience(oauth21));
        }
    }

    #[test]
    fn oauth21_takes_the_issuer_alone_in_an_array() {
        let alone = |aud| checked(json!({ "aud": aud }), Audiences::IssuerAlone);
        assert!(alone(json!(ISSUER)).is_ok());
        assert!(alone(json!([ISSUER])).is_ok());
        for aud in [json!([ISSUER, ISSUER]), json!([]), json!([[ISSUER]])] {
            assert!(wrong_audience(alone(aud)));
        }
    }

    #[test]
    fn compat_takes_the_issuer_or_an_endpoint_as_string_or_in_an_array() {
        let compat = |aud| checked(json!({ "aud": aud }), Audiences::IssuerOr(&[TOKEN, PAR]));
        for aud in [json!(ISSUER), json!(TOKEN), json!([PAR, "https://other"])] {
            assert!(compat(aud).is_ok());
        }
        for aud in [
            json!("https://other"),
            json!([]),
            json!([1, ISSUER]),
            json!(1),
            json!({ISSUER: 1}),
        ] {
            assert!(wrong_audience(compat(aud)));
        }
    }

    #[test]
    fn a_clock_eight_seconds_ahead_is_tolerated() {
        assert!(fapi(json!({"iat": NOW + 8, "nbf": NOW + 8})).is_ok());
        assert!(fapi(json!({"iat": NOW + 10, "nbf": NOW + 10})).is_ok());
        assert!(fapi(json!({"iat": NOW + 11})).is_err());
    }

    #[test]
    fn a_clock_sixty_two_seconds_ahead_is_refused_and_the_message_says_so() {
        let error = fapi(json!({"iat": NOW + 62, "nbf": NOW + 62, "exp": NOW + 122})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "iat is 62 seconds ahead of this server's clock; check the clock of the client's \
             machine"
        );
        let error = fapi(json!({"iat": null, "nbf": NOW + 62})).unwrap_err();
        assert!(error.to_string().starts_with("nbf is 62 seconds ahead"));
    }

    #[test]
    fn an_expired_assertion_is_refused_from_the_second_it_expires() {
        let expired = |seconds| Err(AssertionError::Expired { seconds });
        assert_eq!(fapi(json!({"exp": NOW - 300})), expired(300));
        assert_eq!(fapi(json!({"exp": NOW})), expired(0));
        assert!(fapi(json!({"exp": NOW + 1})).is_ok());
    }

    #[test]
    fn an_assertion_may_live_for_ten_minutes() {
        assert!(fapi(json!({"exp": NOW + 600})).is_ok());
        assert!(fapi(json!({"exp": NOW + 610})).is_ok());
        let too_long = AssertionError::TooLong { seconds: 611 };
        assert_eq!(fapi(json!({"exp": NOW + 611})), Err(too_long));
    }

    #[test]
    fn an_old_iat_does_not_matter_while_exp_holds() {
        assert!(fapi(json!({"iat": NOW - 86_400, "nbf": 0})).is_ok());
        assert!(fapi(json!({"iat": null, "nbf": null})).is_ok());
    }

    #[test]
    fn issuer_and_subject_must_both_be_the_client() {
        for name in ["iss", "sub"] {
            let missing = Err(AssertionError::Missing(name));
            assert_eq!(fapi(json!({ name: null })), missing);
            let other = Err(AssertionError::NotTheClient(name));
            assert_eq!(fapi(json!({ name: "app2" })), other);
            assert_eq!(fapi(json!({ name: "" })), other);
            assert_eq!(
                fapi(json!({ name: 1 })),
                Err(AssertionError::NotAString(name))
            );
        }
    }

    #[test]
    fn every_required_claim_is_missed() {
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            let missing = Err(AssertionError::Missing(name));
            assert_eq!(fapi(json!({ name: null })), missing);
        }
    }

    #[test]
    fn jti_has_one_to_256_bytes() {
        assert!(fapi(json!({"jti": "x".repeat(256)})).is_ok());
        for jti in [String::new(), "x".repeat(257), "é".repeat(129)] {
            assert_eq!(fapi(json!({ "jti": jti })), Err(AssertionError::JtiLength));
        }
        assert_eq!(
            fapi(json!({"jti": 7})),
            Err(AssertionError::NotAString("jti"))
        );
    }

    #[test]
    fn times_may_have_fractions() {
        let exp = serde_json::from_str::<Value>("1800000000.5").unwrap();
        let id = fapi(json!({ "exp": exp })).unwrap();
        assert_eq!(id.exp, Timestamp::from_millis(NOW * 1000 + 500));
        let exponent = serde_json::from_str::<Value>("1.80000006e9").unwrap();
        assert!(fapi(json!({ "exp": exponent })).is_ok());
    }

    #[test]
    fn absurd_times_are_refused_and_never_overflow() {
        for name in ["exp", "iat", "nbf"] {
            for text in [
                "\"1800000060\"",
                "true",
                "[1800000060]",
                "1800000060000",
                "9223372036854775807",
                "18446744073709551615",
                "-1",
                "-9223372036854775808",
                "1e300",
                "-1e300",
            ] {
                let value = serde_json::from_str::<Value>(text).unwrap();
                let refused = Err(AssertionError::NotATime(name));
                assert_eq!(fapi(json!({ name: value })), refused, "{name} {text}");
            }
        }
    }

    #[test]
    fn the_type_of_another_kind_of_token_is_refused() {
        for typ in ["JWT", "client-authentication+jwt", "Application/JWT"] {
            assert_eq!(check_typ(Some(typ)), Ok(()));
        }
        assert_eq!(check_typ(None), Ok(()));
        for typ in [
            "dpop+jwt",
            "at+jwt",
            "oauth-authz-req+jwt",
            "logout+jwt",
            "",
        ] {
            assert!(matches!(check_typ(Some(typ)), Err(AssertionError::Typ(_))));
        }
    }

    #[test]
    fn messages_keep_to_the_characters_of_error_description() {
        for error in [
            fapi(json!({"aud": "x\"\\\n"})).unwrap_err(),
            fapi(json!({"aud": ["x"]})).unwrap_err(),
            check_typ(Some("\"\\\u{e9}\r\n")).unwrap_err(),
            AssertionError::JtiLength,
            AssertionError::Missing("exp"),
            AssertionError::NotATime("exp"),
            AssertionError::TooLong { seconds: 9 },
            AssertionError::Expired { seconds: 9 },
        ] {
            let message = error.to_string();
            let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
            assert!(message.chars().all(allowed), "{message}");
        }
    }
}
