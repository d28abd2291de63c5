//! One way, and only one, to write a JSON value as bytes.
//!
//! Members come in the order they are written here, those of a free-form object sorted by the
//! bytes of their names; no whitespace; the shortest escapes (RFC 8785 §3.2.2.2). Numbers are
//! whole: a fraction is written as text, because programs differ in how they print one.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Writes one JSON object, member by member, in the order of the calls.
pub(super) struct Object {
    out: String,
}

impl Object {
    /// An object without members yet.
    pub(super) fn new() -> Self {
        Self {
            out: String::from("{"),
        }
    }

    /// Adds a whole number.
    pub(super) fn number(&mut self, name: &str, value: i64) {
        self.name(name);
        write_display(&mut self.out, value);
    }

    /// Adds a string.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        write_text(&mut self.out, value);
    }

    /// Adds a string, or nothing at all.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds an object with its members sorted.
    pub(super) fn map(&mut self, name: &str, value: &Map<String, Value>) {
        self.name(name);
        write_map(&mut self.out, value);
    }

    /// The finished bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push('}');
        self.out.into_bytes()
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        write_text(&mut self.out, name);
        self.out.push(':');
    }
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => write_display(out, number),
        Value::Number(fraction) => write_text(out, &fraction.to_string()),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => write_map(out, map),
    }
}

fn write_map(out: &mut String, map: &Map<String, Value>) {
    // Sorted here and not by the map, whose own order depends on how serde_json was built.
    let mut members: Vec<_> = map.iter().collect();
    members.sort_unstable_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
    out.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                write_display(out, format_args!("\\u{:04x}", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

fn write_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        let mut out = String::new();
        write_value(&mut out, value);
        out
    }

    #[test]
    fn members_are_sorted_at_every_depth() {
        let value = json!({"b": {"z": 1, "a": [true, null]}, "a": "x", "B": 2});
        assert_eq!(
            written(&value),
            r#"{"B":2,"a":"x","b":{"a":[true,null],"z":1}}"#
        );
    }

    #[test]
    fn text_is_escaped_in_the_shortest_way() {
        let value = json!("\u{20ac}$\u{f}\u{a}A'\u{42}\u{22}\u{5c}\\\"/\u{7f}");
        assert_eq!(
            written(&value),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\""
        );
    }

    #[test]
    fn a_fraction_is_written_as_text() {
        assert_eq!(
            written(&json!([1.5, -3, u64::MAX])),
            r#"["1.5",-3,18446744073709551615]"#
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(text in "\\PC*|[\\x00-\\x20\"\\\\]*") {
            let value = Value::String(text);
            let back: Value = serde_json::from_str(&written(&value)).unwrap();
            proptest::prop_assert_eq!(back, value);
        }
    }
}
