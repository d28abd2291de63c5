//! What is told about people (OpenID Connect Core §2, §5).

use serde_json::{Map, Value};

use super::scope::Scopes;

/// The standard claims (OpenID Connect Core §5.1) and the scope that asks for each (§5.4).
pub const STANDARD: [(&str, &str); 19] = [
    ("name", "profile"),
    ("family_name", "profile"),
    ("given_name", "profile"),
    ("middle_name", "profile"),
    ("nickname", "profile"),
    ("preferred_username", "profile"),
    ("profile", "profile"),
    ("picture", "profile"),
    ("website", "profile"),
    ("gender", "profile"),
    ("birthdate", "profile"),
    ("zoneinfo", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("address", "address"),
    ("phone_number", "phone"),
    ("phone_number_verified", "phone"),
];

/// Those of a person's claims that `scopes` ask for.
#[must_use]
pub fn granted(claims: &Map<String, Value>, scopes: &Scopes) -> Map<String, Value> {
    STANDARD
        .iter()
        .filter(|(_, scope)| scopes.contains(scope))
        .filter_map(|(name, _)| Some(((*name).to_owned(), claims.get(*name)?.clone())))
        .collect()
}

/// The scope that asks for a standard claim; none for any other name.
#[must_use]
pub fn scope_of(name: &str) -> Option<&'static str> {
    let found = STANDARD.iter().find(|(known, _)| *known == name);
    found.map(|(_, scope)| *scope)
}

/// Whether `name` is a standard claim.
#[must_use]
pub fn is_standard(name: &str) -> bool {
    scope_of(name).is_some()
}

/// The members of `address` (§5.1.1).
const ADDRESS: [&str; 6] = [
    "formatted",
    "street_address",
    "locality",
    "region",
    "postal_code",
    "country",
];

/// Whether `value` has the type that the standard gives claim `name`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn check(name: &str, value: &Value) -> Result<(), String> {
    let (fits, expected) = match name {
        "email_verified" | "phone_number_verified" => (value.is_boolean(), "true or false"),
        "updated_at" => (value.is_i64(), "a number of seconds since 1970"),
        "address" => (
            is_address(value),
            "a JSON object of texts: formatted, street_address, locality, region, postal_code, country",
        ),
        _ if is_standard(name) => (value.is_string(), "a text"),
        _ => {
            return Err(format!(
                "{name} is not a standard claim (OpenID Connect Core 5.1)"
            ));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(format!("the claim {name} must be {expected}"))
    }
}

fn is_address(value: &Value) -> bool {
    value.as_object().is_some_and(|members| {
        members
            .iter()
            .all(|(name, part)| ADDRESS.contains(&name.as_str()) && part.is_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_object_of_texts() {
        let fits = |value| check("address", &value).is_ok();
        assert!(fits(
            serde_json::json!({ "locality": "Uppsala", "country": "SE" })
        ));
        assert!(!fits(serde_json::json!({ "locality": 7 })));
        assert!(!fits(serde_json::json!({ "planet": "Earth" })));
        assert!(!fits(serde_json::json!("Uppsala")));
    }

    #[test]
    fn only_what_the_scope_asks_for_is_told() {
        let Value::Object(claims) = serde_json::json!({ "name": "Ada", "email": "a@b.example" })
        else {
            unreachable!()
        };
        let told = granted(&claims, &Scopes::from_iter(["openid", "email"]));
        assert_eq!(told.keys().collect::<Vec<_>>(), ["email"]);
    }
}
