//! Authorization details (RFC 9396): what an app asks for that no scope can say, such as one payment
//! to one account. Their types are registered by the institution; what is not understood is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims_request::depth;
use super::client::Client;
use super::error::{ErrorCode, OAuthError};
use crate::jose::{self, printable};

/// The longest `authorization_details`, in bytes: they travel in every token that has them.
pub const MAX_BYTES: usize = 4 * 1024;
/// The most details in one request.
pub const MAX_COUNT: usize = 8;
/// How deep they may be nested: the list, a detail, and six levels in it.
const MAX_DEPTH: usize = 8;

/// The types that the institution registered.
pub trait Types {
    /// The APIs that details of a type are for, none when they are for any; `None` for a type that is
    /// not registered.
    fn resources(&self, name: &str) -> Option<&[String]>;

    /// Whether a detail is as the schema of its type has it.
    ///
    /// # Errors
    /// A sentence that names the member.
    fn check(&self, name: &str, detail: &Value) -> Result<(), String>;
}

/// Details that hold what the standard and their types ask of them: JSON objects, each with `type`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(Vec<Value>);

impl Details {
    /// Reads what a client asks for; `resources` are the APIs that it asks for beside.
    ///
    /// # Errors
    /// `invalid_authorization_details` (RFC 9396 §5).
    pub fn parse(
        text: &str,
        client: &Client,
        resources: &[String],
        types: &impl Types,
    ) -> Result<Self, OAuthError> {
        let read = Self::read(text)?;
        for detail in &read.0 {
            let name = type_of(detail);
            // RFC 9396 §5: an unknown type, or one that this client may not use; told alike, so that
            // nobody learns what others may.
            let allowed = client
                .metadata
                .authorization_details_types
                .iter()
                .any(|known| known == name);
            let Some(registered) = types.resources(name).filter(|_| allowed) else {
                return Err(invalid(&format!(
                    "the type {} is not registered for this client",
                    printable(name)
                ))
                .about("type"));
            };
            types
                .check(name, detail)
                .map_err(|why| invalid(&format!("{}: {why}", printable(name))).about("members"))?;
            check_locations(detail, registered)?;
            if !meet(registered, resources) {
                return Err(invalid(&format!(
                    "the type {} is for other APIs than those of the scopes; ask for a scope of its \
                     API too",
                    printable(name)
                ))
                .about("api"));
            }
        }
        Ok(read)
    }

    /// What can be judged without knowing any type.
    ///
    /// # Errors
    /// `invalid_authorization_details`.
    pub fn read(text: &str) -> Result<Self, OAuthError> {
        if text.len() > MAX_BYTES {
            return Err(invalid(&format!("they are longer than {MAX_BYTES} bytes")));
        }
        if depth(text) > MAX_DEPTH {
            return Err(invalid(&format!(
                "they are nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let list = match jose::strict_value(text.as_bytes()) {
            Ok(Value::Array(list)) => list,
            Ok(_) => return Err(invalid("they must be a list of JSON objects")),
            Err(why) => return Err(invalid(&why)),
        };
        if list.is_empty() || list.len() > MAX_COUNT {
            return Err(invalid(&format!(
                "there must be 1 to {MAX_COUNT} of them in one request"
            )));
        }
        for detail in &list {
            // RFC 9396 §2
            if !detail.is_object() || type_of(detail).is_empty() {
                return Err(invalid(
                    "each of them must be a JSON object with the text member type",
                ));
            }
            check_texts(detail)?;
        }
        Ok(Self(list))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with its type.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|detail| (type_of(detail), detail))
    }

    /// Their types, each once, space-delimited.
    #[must_use]
    pub fn type_names(&self) -> String {
        let names: BTreeSet<&str> = self.iter().map(|(name, _)| name).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// Those of types that the client may still use.
    #[must_use]
    pub fn left_to(&self, client: &Client) -> Self {
        let allowed = &client.metadata.authorization_details_types;
        self.kept(|name| allowed.iter().any(|known| known == name))
    }

    /// Those of types that are registered, and that are for one of these APIs.
    #[must_use]
    pub fn good_for(&self, resources: &[impl AsRef<str>], types: &impl Types) -> Self {
        self.kept(|name| {
            types
                .resources(name)
                .is_some_and(|own| meet(own, resources))
        })
    }

    fn kept(&self, stands: impl Fn(&str) -> bool) -> Self {
        let kept = self.iter().filter(|(name, _)| stands(name));
        Self(kept.map(|(_, detail)| detail.clone()).collect())
    }

    /// Those that a token request asks for of what was granted (RFC 9396 §6.1): each must be one of
    /// them, member for member.
    ///
    /// # Errors
    /// `invalid_authorization_details` for anything more, or anything else.
    pub fn narrow(&self, asked: Option<&str>) -> Result<Self, OAuthError> {
        let Some(text) = asked else {
            return Ok(self.clone());
        };
        let asked = Self::read(text)?;
        match asked.0.iter().find(|detail| !self.0.contains(detail)) {
            None => Ok(asked),
            Some(more) => Err(invalid(&format!(
                "a detail of the type {} was not granted like this; ask for those that were, member \
                 for member, or send the person to the authorization endpoint",
                printable(type_of(more))
            ))
            .about("widened")),
        }
    }

    /// As JSON, for an answer.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(self.0.clone())
    }

    /// From the claim of a token whose seal or signature was verified.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let list = value.as_array()?;
        let whole = list.iter().all(|detail| !type_of(detail).is_empty());
        whole.then(|| Self(list.clone()))
    }
}

/// `type`, or nothing.
fn type_of(detail: &Value) -> &str {
    detail["type"].as_str().unwrap_or_default()
}

/// Whether something that is for these APIs, or for any, is for one of those.
fn meet(own: &[String], others: &[impl AsRef<str>]) -> bool {
    let is_other = |uri: &String| others.iter().any(|other| other.as_ref() == uri);
    own.is_empty() || own.iter().any(is_other)
}

/// RFC 9396 §2.2: the APIs that a detail names are those of its type.
fn check_locations(detail: &Value, own: &[String]) -> Result<(), OAuthError> {
    let is_own = |uri: &Value| {
        let uri = uri.as_str();
        uri.is_some_and(|uri| own.is_empty() || own.iter().any(|known| known == uri))
    };
    match &detail["locations"] {
        Value::Null => Ok(()),
        Value::Array(all) if all.iter().all(is_own) => Ok(()),
        _ => Err(invalid(
            "locations must be a list of APIs that the type is registered for",
        )),
    }
}

/// A person reads them: nothing in them may turn the direction of writing, hide, or control.
fn check_texts(value: &Value) -> Result<(), OAuthError> {
    let check = |text: &str| match text.chars().find(|c| is_hidden(*c)) {
        Some(found) => Err(invalid(&format!(
            "U+{:04X} stands in them, which nobody sees; leave it out",
            u32::from(found)
        ))),
        None => Ok(()),
    };
    match value {
        Value::String(text) => check(text),
        Value::Array(many) => many.iter().try_for_each(check_texts),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            check(name)?;
            check_texts(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Control characters, marks of direction (Unicode TR 9 §2), and what has no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{feff}'
                | '\u{3164}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{ffa0}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `invalid_authorization_details`, and why.
#[must_use]
pub fn invalid(why: &str) -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidAuthorizationDetails,
        format!("authorization_details: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::target::tests::app;
    use super::*;

    /// Two types: one for an API, one for any.
    struct Two(Vec<String>);

    impl Types for Two {
        fn resources(&self, name: &str) -> Option<&[String]> {
            match name {
                "payment" => Some(&self.0),
                "note" => Some(&[]),
                _ => None,
            }
        }

        fn check(&self, _: &str, detail: &Value) -> Result<(), String> {
            match detail.get("evil") {
                None => Ok(()),
                Some(_) => Err("evil is no member".to_owned()),
            }
        }
    }

    const API: &str = "https://api.example/pay";

    fn parse(value: &Value) -> Result<Details, OAuthError> {
        let mut client = app();
        client.metadata.authorization_details_types = vec!["payment".to_owned()];
        let api = [API.to_owned()];
        Details::parse(&value.to_string(), &client, &api, &Two(api.to_vec()))
    }

    #[test]
    fn details_of_a_type_of_the_client_are_kept_as_they_came() {
        let asked =
            json!([{ "type": "payment", "amount": { "value": "1.00" }, "locations": [API] }]);
        let parsed = parse(&asked).unwrap();
        assert_eq!(parsed.to_value(), asked);
        assert_eq!(parsed.type_names(), "payment");
        let stored = serde_json::to_vec(&parsed).unwrap();
        assert_eq!(serde_json::from_slice::<Details>(&stored).unwrap(), parsed);
        assert_eq!(Details::from_value(&asked), Some(parsed));
    }

    #[test]
    fn whatever_is_not_understood_is_refused() {
        let deep = (0..8).fold(json!(1), |inner, _| json!({ "a": inner }));
        for wrong in [
            json!({ "type": "payment" }),
            json!([]),
            json!(["payment"]),
            json!([{ "kind": "payment" }]),
            json!([{ "type": 7 }]),
            json!([{ "type": "" }]),
            json!([{ "type": "unknown" }]),
            json!([{ "type": "note" }]),
            json!([{ "type": "payment", "evil": 1 }]),
            json!([{ "type": "payment" }, { "type": "payment", "evil": 1 }]),
            json!([{ "type": "payment", "locations": ["https://evil.example"] }]),
            json!([{ "type": "payment", "locations": API }]),
            json!([{ "type": "payment", "to": "\u{202e}eb" }]),
            json!([{ "type": "payment", "a\u{200b}": "" }]),
            json!([{ "type": "payment", "to": "a\nb" }]),
            json!([{ "type": "payment", "deep": deep }]),
            json!([{ "type": "payment", "long": "x".repeat(MAX_BYTES) }]),
            json!(vec![json!({ "type": "payment" }); MAX_COUNT + 1]),
        ] {
            let refused = parse(&wrong).unwrap_err();
            let code = refused.code.as_str();
            assert_eq!(code, "invalid_authorization_details", "{wrong}");
        }
        assert!(Details::read("[{\"type\":\"payment\",\"type\":\"note\"}]").is_err());
        assert!(Details::read("[{\"type\":\"payment\"}] []").is_err());
    }

    #[test]
    fn a_type_for_another_api_is_refused() {
        let mut client = app();
        client.metadata.authorization_details_types = vec!["payment".to_owned()];
        let text = "[{\"type\":\"payment\"}]";
        let types = Two(vec![API.to_owned()]);
        let other = ["https://other.example".to_owned()];
        assert!(Details::parse(text, &client, &other, &types).is_err());
        let granted = Details::read(text).unwrap();
        assert!(granted.good_for(&other, &types).is_empty());
        assert_eq!(granted.good_for(&types.0, &types), granted);
        assert_eq!(granted.left_to(&client), granted);
        client.metadata.authorization_details_types.clear();
        assert!(granted.left_to(&client).is_empty());
    }

    #[test]
    fn a_token_request_takes_of_what_was_granted_and_nothing_else() {
        let all = json!([{ "type": "payment", "n": 1 }, { "type": "payment", "n": 2 }]);
        let granted = parse(&all).unwrap();
        assert_eq!(granted.narrow(None).unwrap(), granted);
        let one = json!([{ "n": 2, "type": "payment" }]);
        assert_eq!(
            granted.narrow(Some(&one.to_string())).unwrap().to_value(),
            one
        );
        for more in [
            json!([{ "type": "payment", "n": 3 }]),
            json!([{ "type": "payment", "n": 1 }, { "type": "payment" }]),
            json!([{ "type": "payment", "n": 1, "m": 1 }]),
            json!([]),
        ] {
            assert!(granted.narrow(Some(&more.to_string())).is_err(), "{more}");
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_is_answered(text: String) {
            if let Ok(read) = Details::read(&text) {
                proptest::prop_assert!(!read.is_empty());
            }
        }
    }
}
