//! Authorization details (RFC 9396): what an app asks for that no scope can say, such as one payment
//! to one account. Their types are registered by the institution; what is not understood is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims_request::depth;
use super::client::Client;
use super::error::{ErrorCode, OAuthError};
use super::resource::Resource;
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

    /// Whether a client may use a type for itself, without a person who agrees.
    fn alone(&self, name: &str) -> bool;

    /// Whether details of a type let their token in at its APIs without a scope of theirs.
    fn opens(&self, name: &str) -> bool;

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
    /// Reads what a client asks for. Whether it is for the APIs of the request, its
    /// [`target`](super::target) says.
    ///
    /// # Errors
    /// `invalid_authorization_details` (RFC 9396 §5).
    pub fn parse(text: &str, client: &Client, types: &impl Types) -> Result<Self, OAuthError> {
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
        }
        Ok(read)
    }

    /// Reads what a client asks for itself (RFC 9396 §6): types that no person need agree to.
    ///
    /// # Errors
    /// As [`Details::parse`].
    pub fn parse_alone(
        text: &str,
        client: &Client,
        types: &impl Types,
    ) -> Result<Self, OAuthError> {
        let read = Self::parse(text, client, types)?;
        if let Some((name, _)) = read.iter().find(|(name, _)| !types.alone(name)) {
            return Err(invalid(&format!(
                "a person must agree to the type {}; send her to the authorization endpoint",
                printable(name)
            ))
            .about("alone"));
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
        check_numbers(text)?;
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
        let read = Self(list);
        // What travels is what was read, and a number may be longer there.
        if read.to_value().to_string().len() > MAX_BYTES {
            return Err(invalid(&format!("they are longer than {MAX_BYTES} bytes")));
        }
        Ok(read)
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
        self.kept(|name, _| allowed.iter().any(|known| known == name))
    }

    /// Those of types that a client may use for itself.
    #[must_use]
    pub fn left_alone(&self, types: &impl Types) -> Self {
        self.kept(|name, _| types.alone(name))
    }

    /// The APIs that they open without a scope: those that their types are registered for by name, or
    /// of these the `locations` that a detail names. A type that is for any API opens none, and one that
    /// is not registered to open none either.
    #[must_use]
    pub fn opened<'a>(&'a self, types: &'a impl Types) -> Vec<&'a str> {
        let each = self.iter().map(|(name, detail)| {
            let of_type = types.resources(name).filter(|_| types.opens(name));
            opened_by(detail, of_type.unwrap_or_default())
        });
        each.flatten().collect()
    }

    /// The APIs that a request has beside those of `resource` and of its scopes, `asked`: a detail that
    /// is for none of them brings along those that it opens, as a scope does.
    ///
    /// # Errors
    /// `invalid_authorization_details` for one that is for other APIs than those that `resource` names,
    /// and for one that opens none.
    pub fn brought(
        &self,
        (asked, named): (&[String], &[String]),
        known: &[Resource],
        types: &impl Types,
    ) -> Result<Vec<String>, OAuthError> {
        let mut brought = Vec::new();
        for (name, detail) in self.iter() {
            let of_type = types.resources(name).unwrap_or_default();
            if is_for(detail, of_type, asked) {
                continue;
            }
            let is_known = |uri: &&str| known.iter().any(|resource| resource.uri == *uri);
            let own = opened_by(detail, of_type).into_iter().filter(is_known);
            let own = own.filter(|_| types.opens(name));
            let own: Vec<String> = own.map(str::to_owned).collect();
            if own.is_empty() || !named.is_empty() {
                return Err(invalid(&format!(
                    "the type {} is for other APIs than those of the request; ask for a scope of its \
                     API too, or leave resource out",
                    printable(name)
                ))
                .about("api"));
            }
            brought.extend(own);
        }
        Ok(brought)
    }

    /// Those of types that are registered, and that are for one of these APIs: one of its own
    /// `locations`, when it names any (RFC 9396 §2.2).
    #[must_use]
    pub fn good_for(&self, resources: &[impl AsRef<str>], types: &impl Types) -> Self {
        self.kept(|name, detail| {
            types
                .resources(name)
                .is_some_and(|own| is_for(detail, own, resources))
        })
    }

    fn kept(&self, stands: impl Fn(&str, &Value) -> bool) -> Self {
        let kept = self.iter().filter(|(name, detail)| stands(name, detail));
        Self(kept.map(|(_, detail)| detail.clone()).collect())
    }

    /// Those that a token request asks for of what was granted (RFC 9396 §6.1): each must be one of
    /// them, member for member, and none is had more often than it was granted.
    ///
    /// # Errors
    /// `invalid_authorization_details` for anything more, or anything else.
    pub fn narrow(&self, asked: Option<&str>) -> Result<Self, OAuthError> {
        let Some(text) = asked else {
            return Ok(self.clone());
        };
        let asked = Self::read(text)?;
        let mut left: Vec<&Value> = self.0.iter().collect();
        let mut more = asked.0.iter().filter(|detail| {
            let at = left.iter().position(|granted| granted == detail);
            at.map(|at| left.swap_remove(at)).is_none()
        });
        match more.next() {
            None => Ok(asked),
            Some(more) => Err(invalid(&format!(
                "a detail of the type {} was not granted like this, or not so often; ask for those that were, member \
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

/// Whether a detail is for one of these APIs: by the APIs that it names itself, or else by those of its
/// type, which is for any when it has none.
fn is_for(detail: &Value, of_type: &[String], apis: &[impl AsRef<str>]) -> bool {
    let is_one = |uri: &str| apis.iter().any(|api| api.as_ref() == uri);
    match detail["locations"].as_array() {
        Some(named) if !named.is_empty() => named.iter().filter_map(Value::as_str).any(is_one),
        _ => of_type.is_empty() || of_type.iter().any(|uri| is_one(uri)),
    }
}

/// The APIs that a detail opens: of those of its type the ones that it names, or all when it names none.
fn opened_by<'a>(detail: &'a Value, of_type: &'a [String]) -> Vec<&'a str> {
    let is_own = |uri: &&str| of_type.iter().any(|own| own == uri);
    match detail["locations"].as_array() {
        Some(named) if !named.is_empty() => {
            let named = named.iter().filter_map(Value::as_str);
            named.filter(is_own).collect()
        }
        _ => of_type.iter().map(String::as_str).collect(),
    }
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
            // She is shown members by their places, `amount.value`: another one must not look like it.
            if name.is_empty() || name.contains('.') {
                return Err(invalid(
                    "a member's name is empty or has a dot in it; rename it",
                ));
            }
            check_texts(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The numbers that another reader could take for others: whole ones beyond 64 bits, and those with
/// more than 15 digits (RFC 8259 §6).
fn check_numbers(text: &str) -> Result<(), OAuthError> {
    let (mut rest, mut in_text) = (text, false);
    while let Some(at) =
        rest.find(|c: char| c == '"' || c == '\\' || c == '-' || c.is_ascii_digit())
    {
        let found = &rest[at..];
        if in_text || !found.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            let skipped = match (in_text, found.as_bytes()[0]) {
                (true, b'\\') => found.chars().take(2).map(char::len_utf8).sum(),
                (_, b'"') => {
                    in_text = !in_text;
                    1
                }
                _ => 1,
            };
            rest = &found[skipped..];
            continue;
        }
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = found.find(|c| !is_part(c)).unwrap_or(found.len());
        if !is_kept(&found[..end]) {
            return Err(invalid(
                "a number has more digits than every reader keeps; send it as a text",
            ));
        }
        rest = &found[end..];
    }
    Ok(())
}

/// Whether a number is the same after it was read.
fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let (mantissa, _) = number.split_once(['e', 'E']).unwrap_or((number, ""));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0').len();
    let read = number.parse::<f64>().unwrap_or(f64::INFINITY);
    // A whole number that was too long was made such a one before it came here.
    let is_exact = read.abs() < 9_007_199_254_740_992.0 && (read != 0.0 || significant == 0);
    significant <= 15 && is_exact
}

/// Control characters, marks of direction (Unicode TR 9 §2), and what has no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{2800}'
                | '\u{feff}'
                | '\u{3164}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{ffa0}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
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
pub(crate) mod tests {
    use serde_json::json;

    use super::super::target::tests::app;
    use super::*;

    /// Two types: one for an API, which clients may use for themselves, and one for any.
    pub(crate) struct Two(pub(crate) Vec<String>);

    impl Types for Two {
        fn resources(&self, name: &str) -> Option<&[String]> {
            match name {
                "payment" => Some(&self.0),
                "note" => Some(&[]),
                _ => None,
            }
        }

        fn alone(&self, name: &str) -> bool {
            name == "payment"
        }

        fn opens(&self, _: &str) -> bool {
            self.0.iter().all(|uri| !uri.contains("scoped"))
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
        Details::parse(&value.to_string(), &client, &Two(vec![API.to_owned()]))
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
            json!([{ "type": "payment", "to": "a\u{2800}b" }]),
            json!([{ "type": "payment", "to": "a\u{fe0f}b" }]),
            json!([{ "type": "payment", "to": "a\u{e0100}b" }]),
            json!([{ "type": "payment", "to": "a\u{34f}b" }]),
            json!([{ "type": "payment", "amount.value": "1.00" }]),
            json!([{ "type": "payment", "amount": { "": "1.00" } }]),
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
    fn a_number_that_another_reader_takes_for_another_is_refused() {
        let read = |number: &str| {
            let text = format!(r#"[{{"type":"\\\"1e999","n":[{number}]}}]"#);
            Details::read(&text)
        };
        for kept in [
            "0",
            "-1",
            "18446744073709551615",
            "9007199254740993",
            "9.50",
            "0.10000000000000000",
            "1e3",
            "-1.5E-3",
        ] {
            assert!(read(kept).is_ok(), "{kept}");
        }
        for changed in [
            "18446744073709551616",
            "99999999999999999999",
            "1e20",
            "1e-400",
            "9999.999999999999999999",
            "0.1234567890123456",
        ] {
            let refused = read(changed).unwrap_err().description;
            assert!(refused.contains("digits"), "{changed}: {refused}");
        }
        // What travels is measured, too.
        let many = vec!["1e15"; 800].join(",");
        assert!(read(&many).unwrap_err().description.contains("longer"));
    }

    #[test]
    fn a_detail_that_names_its_api_is_for_that_one_alone() {
        let other = "https://api.example/other".to_owned();
        let both = [API.to_owned(), other.clone()];
        let types = Two(both.to_vec());
        let named = json!([{ "type": "payment", "locations": [API] }]).to_string();
        let granted = Details::read(&named).unwrap();
        assert_eq!(granted.good_for(&[API], &types), granted);
        assert!(granted.good_for(&[other.as_str()], &types).is_empty());
        let mut client = app();
        client.metadata.authorization_details_types = vec!["payment".to_owned()];
        assert!(Details::parse(&named, &client, &types).is_ok());
        assert_eq!(granted.opened(&types), [API]);
        // One that names none is for all of its type's.
        let any = Details::read("[{\"type\":\"payment\",\"locations\":[]}]").unwrap();
        assert_eq!(any.good_for(&[other.as_str()], &types), any);
        assert_eq!(any.opened(&types), [API, other.as_str()]);
    }

    #[test]
    fn a_type_for_any_api_opens_none_and_is_not_had_alone() {
        let types = Two(vec![API.to_owned()]);
        let mut client = app();
        client.metadata.authorization_details_types = vec!["note".to_owned()];
        let text = json!([{ "type": "note", "locations": [API] }]).to_string();
        let read = Details::parse(&text, &client, &types).unwrap();
        assert!(read.opened(&types).is_empty());
        let refused = Details::parse_alone(&text, &client, &types).unwrap_err();
        assert_eq!(refused.topic, Some("alone"));
        assert!(read.left_alone(&types).is_empty());
    }

    #[test]
    fn a_type_that_needs_a_scope_opens_nothing() {
        let types = Two(vec!["https://scoped.example".to_owned()]);
        let mut client = app();
        client.metadata.authorization_details_types = vec!["payment".to_owned()];
        let read = Details::parse("[{\"type\":\"payment\"}]", &client, &types).unwrap();
        assert!(read.opened(&types).is_empty());
        let known: [Resource; 0] = [];
        let brought = read.brought((&[], &[]), &known, &types);
        assert_eq!(brought.unwrap_err().topic, Some("api"));
    }

    #[test]
    fn a_type_for_another_api_is_refused() {
        let mut client = app();
        client.metadata.authorization_details_types = vec!["payment".to_owned()];
        let text = "[{\"type\":\"payment\"}]";
        let types = Two(vec![API.to_owned()]);
        let other = ["https://other.example".to_owned()];
        let granted = Details::parse(text, &client, &types).unwrap();
        let none: [Resource; 0] = [];
        // It is not registered here, or not among those that the request names.
        for named in [&[][..], &other] {
            let brought = granted.brought((named, named), &none, &types);
            assert_eq!(brought.unwrap_err().topic, Some("api"));
        }
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
            json!(vec![json!({ "type": "payment", "n": 1 }); 2]),
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
