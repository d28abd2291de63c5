//! Schemas as they are read: what one does not say of further members is that there are none.

use std::collections::BTreeSet;

use serde_json::Value;

/// The version that is understood: in others, what closes an object here would mean nothing.
const VERSION: &str = "https://json-schema.org/draft/2020-12/schema";

/// Closes each object that a schema describes and leaves open. What stands beside an object as a rule
/// (`allOf`, `if`, `not`, …) may describe members too and is else left as it is: closed by itself, it
/// would say something else.
///
/// # Errors
/// A sentence about what cannot be closed so.
pub(super) fn close(schema: &mut Value) -> Result<(), String> {
    let version = schema["$schema"]
        .as_str()
        .map(|said| said.trim_end_matches('#'));
    if version.is_some_and(|version| version != VERSION) {
        return Err(format!("the schema must be one of {VERSION}"));
    }
    at_place(schema)
}

/// A schema of a place in a detail, such as a member.
fn at_place(schema: &mut Value) -> Result<(), String> {
    within(schema)?;
    let says = ["additionalProperties", "unevaluatedProperties"];
    if let Some(members) = schema.as_object_mut()
        && !says.iter().any(|name| members.contains_key(*name))
    {
        // It looks past the rules beside it and through references (JSON Schema 2020-12, §11.3).
        members.insert("unevaluatedProperties".to_owned(), false.into());
    }
    Ok(())
}

/// The places inside of a schema, and the rules beside it.
fn within(schema: &mut Value) -> Result<(), String> {
    let described = described(schema);
    let Some(members) = schema.as_object_mut() else {
        return Ok(());
    };
    for (name, inner) in members {
        match name.as_str() {
            "items" | "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems" => {
                at_place(inner)?;
            }
            "properties" | "patternProperties" | "prefixItems" => each(inner, at_place)?,
            // Closed where they are referred to.
            "$defs" | "definitions" => each(inner, within)?,
            other => rule(other, inner, &described)?,
        }
    }
    Ok(())
}

/// A rule beside a schema that describes these members.
fn rule(name: &str, value: &mut Value, described: &BTreeSet<String>) -> Result<(), String> {
    match name {
        "then" | "else" => beside(value, described),
        "allOf" | "anyOf" | "oneOf" | "dependentSchemas" => {
            each(value, |one| beside(one, described))
        }
        // What is referred to may be closed, and here that would turn the rule off.
        "if" | "not" | "contains" | "propertyNames" if refers(value) => Err(format!(
            "{name} refers to another part of the schema; write out what it means there"
        )),
        _ => Ok(()),
    }
}

/// A schema that is a rule beside another one. What that one describes, it closes itself.
fn beside(schema: &mut Value, described: &BTreeSet<String>) -> Result<(), String> {
    let all: BTreeSet<String> = described.union(&self::described(schema)).cloned().collect();
    let Some(members) = schema.as_object_mut() else {
        return Ok(());
    };
    for (name, inner) in members {
        match (name.as_str(), inner) {
            ("properties", Value::Object(properties)) => {
                let mut new = properties
                    .iter_mut()
                    .filter(|(member, _)| !described.contains(member.as_str()));
                new.try_for_each(|(_, inner)| at_place(inner))?;
            }
            ("items" | "additionalProperties" | "unevaluatedProperties", inner)
                if !described.contains(&keyword(name)) =>
            {
                at_place(inner)?;
            }
            ("patternProperties" | "prefixItems", inner) => each(inner, at_place)?,
            ("$defs" | "definitions", inner) => each(inner, within)?,
            (other, inner) => rule(other, inner, &all)?,
        }
    }
    Ok(())
}

/// The members that a schema describes by name, and which of its keywords describe others.
fn described(schema: &Value) -> BTreeSet<String> {
    let named = schema["properties"].as_object();
    let others = ["items", "additionalProperties", "unevaluatedProperties"];
    let others = others.into_iter().filter(|name| schema.get(name).is_some());
    let named = named.into_iter().flat_map(|named| named.keys().cloned());
    named.chain(others.map(keyword)).collect()
}

/// A keyword among names of members, none of which may have a dot.
fn keyword(name: &str) -> String {
    format!(".{name}")
}

fn each(
    all: &mut Value,
    mut change: impl FnMut(&mut Value) -> Result<(), String>,
) -> Result<(), String> {
    match all {
        Value::Object(named) => named.values_mut().try_for_each(change),
        Value::Array(many) => many.iter_mut().try_for_each(change),
        other => change(other),
    }
}

/// Whether a reference stands anywhere in it.
fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, inner)| {
            let is_data = matches!(name.as_str(), "const" | "enum" | "default" | "examples");
            matches!(name.as_str(), "$ref" | "$dynamicRef") || (!is_data && refers(inner))
        }),
        Value::Array(many) => many.iter().any(refers),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    fn takes(schema: &Value, value: &Value) -> bool {
        let mut schema = schema.clone();
        close(&mut schema).unwrap();
        jsonschema::validator_for(&schema).unwrap().is_valid(value)
    }

    #[test]
    fn a_rule_beside_an_object_holds_as_it_was_written() {
        let schema = json!({
            "type": "object",
            "properties": {
                "to": { "type": "object", "properties": { "name": { "type": "string" }, "iban": {} } },
                "amount": { "type": "object", "properties": { "value": {}, "currency": {} } },
                "tags": { "type": "array", "items": { "type": "object", "properties": { "a": {}, "b": {} } } },
            },
            "not": { "properties": { "to": { "properties": { "name": { "const": "Mallory" } }, "required": ["name"] } }, "required": ["to"] },
            "if": { "properties": { "amount": { "properties": { "currency": { "const": "CHF" } }, "required": ["currency"] } }, "required": ["amount"] },
            "then": { "properties": { "amount": { "properties": { "value": { "maxLength": 3 } } } } },
            "allOf": [{ "properties": { "tags": { "contains": { "properties": { "a": { "const": 1 } }, "required": ["a"] } } } }],
            "dependentSchemas": { "tags": { "properties": { "to": { "properties": { "iban": { "minLength": 2 } } } } } },
        });
        let payment = |name: &str, value: &str, currency: &str| {
            json!({
                "to": { "name": name, "iban": "DE" },
                "amount": { "value": value, "currency": currency },
                "tags": [{ "a": 1, "b": 2 }],
            })
        };
        assert!(takes(&schema, &payment("Bakery", "9999", "EUR")));
        assert!(takes(&schema, &payment("Bakery", "999", "CHF")));
        for refused in [
            payment("Mallory", "1", "EUR"),
            payment("Bakery", "9999", "CHF"),
        ] {
            assert!(!takes(&schema, &refused), "{refused}");
        }
        let mut short = payment("Bakery", "1", "EUR");
        short["to"]["iban"] = "D".into();
        assert!(!takes(&schema, &short));
        short["to"]["iban"] = "DE".into();
        short["tags"] = json!([{ "a": 2 }]);
        assert!(!takes(&schema, &short));
    }

    #[test]
    fn no_further_member_is_taken_wherever_the_known_ones_are_described() {
        let part = json!({ "type": "object", "properties": { "x": { "type": "string" } } });
        let known = json!({ "a": { "x": "1" } });
        for schema in [
            json!({ "properties": { "a": part } }),
            json!({ "properties": { "a": { "type": "object", "allOf": [part] } } }),
            json!({ "allOf": [{ "properties": { "a": part } }] }),
            json!({ "oneOf": [{ "properties": { "a": part } }, { "required": ["b"] }] }),
            json!({ "if": { "required": ["a"] }, "then": { "properties": { "a": part } } }),
            json!({ "dependentSchemas": { "a": { "properties": { "a": part } } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/part" } }, "$defs": { "part": part } }),
            json!({ "allOf": [{ "$ref": "#/$defs/all" }], "$defs": { "all": { "properties": { "a": part } } } }),
            json!({ "properties": { "a": part }, "allOf": [{ "properties": { "a": { "required": ["x"] } } }] }),
        ] {
            assert!(takes(&schema, &known), "{schema}");
            for more in [
                json!({ "a": { "x": "1", "y": 1 } }),
                json!({ "a": { "x": "1" }, "z": 1 }),
            ] {
                assert!(!takes(&schema, &more), "{schema}: {more}");
            }
        }
        let list = json!({ "properties": { "a": { "type": "array", "items": part } } });
        assert!(!takes(&list, &json!({ "a": [{ "y": 1 }] })));
        // One that describes none has none; one that says so has any.
        let none = json!({ "properties": { "a": { "type": "object" } } });
        assert!(takes(&none, &json!({ "a": {} })) && !takes(&none, &json!({ "a": { "y": 1 } })));
        let any = json!({ "properties": { "a": { "additionalProperties": true } } });
        assert!(takes(&any, &json!({ "a": { "y": 1 } })));
    }

    #[test]
    fn what_cannot_be_closed_is_refused_at_start() {
        for (schema, word) in [
            (
                json!({ "$schema": "http://json-schema.org/draft-07/schema#" }),
                "2020-12",
            ),
            (
                json!({ "not": { "$ref": "#/$defs/a" }, "$defs": { "a": {} } }),
                "not refers",
            ),
            (
                json!({ "properties": { "a": { "if": { "allOf": [{ "$ref": "#" }] } } } }),
                "if refers",
            ),
        ] {
            let refused = close(&mut schema.clone()).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
