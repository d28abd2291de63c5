//! JSON objects without duplicate members. RFC 7515 §4 and RFC 7519 §4 allow refusing them, and
//! two parsers that pick different ones of a pair are a way around a check.

use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are no acceptable JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    /// Not JSON, not UTF-8, too deep, or followed by something else.
    Syntax,
    /// JSON, but not an object.
    NotAnObject,
    /// This member is there twice, at whatever depth.
    Duplicate(String),
}

/// Parses one JSON object and nothing after it.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(&duplicate)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (value, duplicate.into_inner()) {
        (_, Some(name)) => Err(JsonError::Duplicate(name)),
        (Ok(Value::Object(map)), None) => Ok(map),
        (Ok(_), None) => Err(JsonError::NotAnObject),
        (Err(_), None) => Err(JsonError::Syntax),
    }
}

/// Reads any value from `deserializer`, refusing duplicate members.
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Strict(&RefCell::new(None)).deserialize(deserializer)
}

/// Builds a [`Value`]; remembers the first duplicate member.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if map.contains_key(&name) {
                let error = A::Error::custom("a member occurs twice");
                self.0.borrow_mut().get_or_insert(name);
                return Err(error);
            }
            let value = access.next_value_seed(self)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = br#" {"a":[1,-2,3.5,true,null,"x"],"b":{"c":18446744073709551615}} "#;
        let expected: Value = serde_json::from_slice(text).unwrap_or_default();
        assert_eq!(object(text).map(Value::Object), Ok(expected));
    }

    #[test]
    fn a_duplicate_member_is_refused_at_any_depth() {
        let shallow = object(br#"{"a":1,"a":1}"#);
        assert_eq!(shallow, Err(JsonError::Duplicate("a".to_owned())));
        let deep = object(br#"{"a":[{"b":1,"\u0062":2}]}"#);
        assert_eq!(deep, Err(JsonError::Duplicate("b".to_owned())));
    }

    #[test]
    fn what_is_no_object_or_more_than_one_is_refused() {
        assert_eq!(object(b"[]"), Err(JsonError::NotAnObject));
        assert_eq!(object(b"{} {}"), Err(JsonError::Syntax));
        assert_eq!(object(b""), Err(JsonError::Syntax));
        assert_eq!(object(b"\xef\xbb\xbf{}"), Err(JsonError::Syntax));
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        let deep = [b"{\"a\":".as_slice(), &b"[".repeat(5_000)].concat();
        assert_eq!(object(&deep), Err(JsonError::Syntax));
    }
}
