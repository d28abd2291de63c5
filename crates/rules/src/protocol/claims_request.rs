//! The `claims` parameter (OpenID Connect Core §5.5): claims that are asked for one by one.
//!
//! What is not understood is ignored, as the standard demands; what is kept is therefore bounded by
//! the number of standard claims. Whether a claim is *essential* changes what is told only for
//! `acr`: a claim that is not known about a person is never an error (§5.5.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::acr;
use super::claims;
use super::client::Client;
use super::error::OAuthError;
use super::scope::Scopes;
use crate::identity::Acr;
use crate::jose;

/// How deep the parameter may be nested: the request, its member, the claim, `values`, and an
/// `address` among these.
const MAX_DEPTH: usize = 6;
/// The most values that one claim may be asked with.
const MAX_VALUES: usize = 16;
/// The longest `sub`, in bytes (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;

/// The standard claims that are asked for one by one, by where they are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// At userinfo.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Wanted>,
    /// In ID tokens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Wanted>,
}

/// What one claim is asked to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wanted {
    /// One of these (`value`, `values`); whatever it is, when there is none.
    pub values: Vec<Value>,
}

/// What a `claims` parameter says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Claims about the person.
    pub request: ClaimsRequest,
    /// `sub` with a value: who must answer. One of these; anybody when it was not asked.
    pub subjects: Option<Vec<String>>,
    /// `acr` as an essential claim with values: what must be reached (§5.5.1.1).
    pub required_acr: Option<Acr>,
}

impl Parsed {
    /// Reads the parameter.
    ///
    /// # Errors
    /// `invalid_request` when it is no JSON object of the form that §5.5 describes or is nested too
    /// deep; `unmet_authentication_requirements` when an essential `acr` cannot be reached here.
    pub fn read(text: &str) -> Result<Self, OAuthError> {
        if depth(text) > MAX_DEPTH {
            return Err(invalid(&format!(
                "is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let members = jose::strict_object(text.as_bytes()).map_err(|why| invalid(&why))?;
        let mut parsed = Self::default();
        for (member, told) in [("userinfo", false), ("id_token", true)] {
            let asked = match members.get(member) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(asked)) => asked,
                Some(_) => return Err(invalid(&format!("{member} must be an object"))),
            };
            let mut kept = BTreeMap::new();
            for (name, ask) in asked {
                let ask = Ask::read(name, ask)?;
                match name.as_str() {
                    "sub" => parsed.expect(&ask)?,
                    "acr" if told && ask.essential => parsed.require(&ask)?,
                    name if claims::is_standard(name) => {
                        kept.insert(name.to_owned(), Wanted { values: ask.values });
                    }
                    _ => {}
                }
            }
            if told {
                parsed.request.id_token = kept;
            } else {
                parsed.request.userinfo = kept;
            }
        }
        Ok(parsed)
    }

    /// §3.1.2.2 (4), §5.5.1: only this person may be answered for.
    fn expect(&mut self, ask: &Ask) -> Result<(), OAuthError> {
        if ask.values.is_empty() {
            return Ok(());
        }
        let subjects: Option<Vec<String>> = ask
            .values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect();
        let subjects = subjects.filter(|all| all.iter().all(|sub| sub.len() <= MAX_SUBJECT));
        let subjects = subjects
            .ok_or_else(|| invalid("sub must be asked for with texts of at most 255 bytes"))?;
        self.subjects = Some(match self.subjects.take() {
            None => subjects,
            Some(before) => both(before, &subjects),
        });
        Ok(())
    }

    fn require(&mut self, ask: &Ask) -> Result<(), OAuthError> {
        if ask.values.is_empty() {
            return Ok(());
        }
        let named = ask.values.iter().filter_map(Value::as_str);
        self.required_acr = Some(acr::essential(named)?);
        Ok(())
    }
}

/// Those that are in both lists.
pub(super) fn both(mut one: Vec<String>, other: &[String]) -> Vec<String> {
    one.retain(|sub| other.contains(sub));
    one
}

impl ClaimsRequest {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// What is asked beyond what `scopes` ask for anyway: the person must agree to each.
    #[must_use]
    pub fn beyond(&self, scopes: &Scopes) -> BTreeSet<String> {
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .filter(|name| !claims::scope_of(name).is_some_and(|scope| scopes.contains(scope)))
            .cloned()
            .collect()
    }

    /// Only what a client may ask people for: claims of the scopes that it is registered for.
    #[must_use]
    pub fn left_to(&self, client: &Client) -> Self {
        self.within(&client.scopes, &BTreeSet::new())
    }

    /// Only what the person agreed to: claims that `scopes` ask for, and those in `agreed`.
    #[must_use]
    pub fn within(&self, scopes: &Scopes, agreed: &BTreeSet<String>) -> Self {
        let refused: BTreeSet<String> = self.beyond(scopes).difference(agreed).cloned().collect();
        let keep = |asked: &BTreeMap<String, Wanted>| {
            asked
                .iter()
                .filter(|(name, _)| !refused.contains(*name))
                .map(|(name, wanted)| (name.clone(), wanted.clone()))
                .collect()
        };
        Self {
            userinfo: keep(&self.userinfo),
            id_token: keep(&self.id_token),
        }
    }
}

/// Those of a person's claims that are asked for, where a value was asked only with that value.
#[must_use]
pub fn told(known: &Map<String, Value>, asked: &BTreeMap<String, Wanted>) -> Map<String, Value> {
    asked
        .iter()
        .filter_map(|(name, wanted)| {
            let value = known.get(name)?;
            let fits = wanted.values.is_empty() || wanted.values.contains(value);
            fits.then(|| (name.clone(), value.clone()))
        })
        .collect()
}

/// How one claim is asked for, as sent.
struct Ask {
    essential: bool,
    values: Vec<Value>,
}

impl Ask {
    fn read(name: &str, ask: &Value) -> Result<Self, OAuthError> {
        let shown: String = name.chars().take(60).collect();
        let members = match ask {
            Value::Null => {
                return Ok(Self {
                    essential: false,
                    values: Vec::new(),
                });
            }
            Value::Object(members) => members,
            _ => return Err(invalid(&format!("{shown} must be null or an object"))),
        };
        let essential = match members.get("essential") {
            None => false,
            Some(Value::Bool(essential)) => *essential,
            Some(_) => {
                return Err(invalid(&format!(
                    "{shown}: essential must be true or false"
                )));
            }
        };
        let values = match (members.get("value"), members.get("values")) {
            (None, None) => Vec::new(),
            (Some(value), None) => vec![value.clone()],
            (None, Some(Value::Array(values))) if (1..=MAX_VALUES).contains(&values.len()) => {
                values.clone()
            }
            (None, Some(_)) => {
                return Err(invalid(&format!(
                    "{shown}: values must be an array of 1 to {MAX_VALUES} values"
                )));
            }
            (Some(_), Some(_)) => {
                return Err(invalid(&format!("{shown}: send value or values, not both")));
            }
        };
        Ok(Self { essential, values })
    }
}

fn invalid(why: &str) -> OAuthError {
    OAuthError::invalid_request(format!("claims: {why} (OpenID Connect Core 5.5)"))
}

/// How deep a JSON text is nested; looked at before it is parsed.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_understood() {
        let parsed = Parsed::read(
            r#"{ "userinfo": { "given_name": {"essential": true}, "nickname": null,
                 "email": {"essential": true}, "email_verified": {"essential": true},
                 "picture": null, "http://example.info/claims/groups": null },
               "id_token": { "auth_time": {"essential": true},
                 "acr": {"values": ["urn:mace:incommon:iap:silver"]} } }"#,
        )
        .unwrap();
        assert_eq!(parsed.request.userinfo.len(), 5);
        assert!(parsed.request.id_token.is_empty());
        assert_eq!((parsed.subjects, parsed.required_acr), (None, None));
        let asked = parsed
            .request
            .beyond(&Scopes::from_iter(["openid", "email"]));
        assert_eq!(
            asked.iter().map(String::as_str).collect::<Vec<_>>(),
            ["given_name", "nickname", "picture"]
        );
    }

    #[test]
    fn what_is_no_claims_request_is_refused() {
        let deep = format!("{}{}", "{\"userinfo\":".repeat(100), "}".repeat(100));
        let many = format!(
            r#"{{"userinfo":{{"name":{{"values":[{}1]}}}}}}"#,
            "1,".repeat(16)
        );
        for text in [
            "",
            "[]",
            "null",
            "{",
            "{} {}",
            r#"{"userinfo":1}"#,
            r#"{"userinfo":{"name":true}}"#,
            r#"{"userinfo":{"name":null,"name":null}}"#,
            r#"{"userinfo":{"name":{"essential":"yes"}}}"#,
            r#"{"userinfo":{"name":{"values":[]}}}"#,
            r#"{"userinfo":{"name":{"values":"x"}}}"#,
            r#"{"userinfo":{"name":{"value":"x","values":["x"]}}}"#,
            r#"{"id_token":{"sub":{"value":7}}}"#,
            deep.as_str(),
            many.as_str(),
        ] {
            let error = Parsed::read(text).unwrap_err();
            assert_eq!(error.code.as_str(), "invalid_request", "{text}");
        }
        // Braces inside a text nest nothing.
        let braces = format!(
            r#"{{"userinfo":{{"name":{{"value":"{}\""}}}}}}"#,
            "{".repeat(50)
        );
        assert!(Parsed::read(&braces).is_ok());
    }

    #[test]
    fn an_essential_acr_that_nobody_reaches_is_refused_and_a_voluntary_one_is_not() {
        let read = |ask: &str| Parsed::read(&format!(r#"{{"id_token":{{"acr":{ask}}}}}"#));
        let refused = read(r#"{"essential":true,"values":["urn:unknown"]}"#).unwrap_err();
        assert_eq!(refused.code.as_str(), "unmet_authentication_requirements");
        let some = read(r#"{"essential":true,"values":["x","urn:countersign:acr:2fa"]}"#);
        assert_eq!(some.unwrap().required_acr, Some(Acr::TwoFactor));
        assert_eq!(read(r#"{"values":["x"]}"#).unwrap().required_acr, None);
        assert_eq!(read(r#"{"essential":true}"#).unwrap().required_acr, None);
    }

    #[test]
    fn both_members_must_mean_the_same_person() {
        let parsed = Parsed::read(
            r#"{"userinfo":{"sub":{"values":["a","b"]}},"id_token":{"sub":{"value":"b"}}}"#,
        );
        assert_eq!(parsed.unwrap().subjects, Some(vec!["b".to_owned()]));
    }

    #[test]
    fn a_claim_with_another_value_is_not_told() {
        let known = serde_json::json!({ "email": "a@b.example", "name": "Ada" });
        let Value::Object(known) = known else {
            unreachable!()
        };
        let asked = Parsed::read(
            r#"{"userinfo":{"email":{"value":"x@b.example"},"name":null,"gender":null}}"#,
        );
        let told = told(&known, &asked.unwrap().request.userinfo);
        assert_eq!(told.keys().collect::<Vec<_>>(), ["name"]);
    }

    #[test]
    fn what_was_not_agreed_to_is_taken_out() {
        let asked = Parsed::read(r#"{"userinfo":{"email":null,"name":null,"gender":null}}"#);
        let asked = asked.unwrap().request;
        let agreed = BTreeSet::from(["gender".to_owned()]);
        let within = asked.within(&Scopes::from_iter(["openid", "email"]), &agreed);
        let names: Vec<_> = within.userinfo.keys().map(String::as_str).collect();
        assert_eq!(names, ["email", "gender"]);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_answered(text: String) {
            let _ = Parsed::read(&text);
        }
    }
}
