//! `[[authorization_details]]`: the types of authorization details that apps may ask for (RFC 9396),
//! each with a JSON Schema and with the words in which a person is asked.

mod close;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Validator};
use rules::protocol::details::Types;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refused;
use super::file::refuse;
use crate::words::Lang;

const SETTING: &str = "authorization_details";
/// The longest schema, in bytes.
const MAX_SCHEMA: u64 = 256 * 1024;

/// One of `[[authorization_details]]`, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct DetailsFile {
    pub name: String,
    pub schema: Option<String>,
    pub schema_file: Option<PathBuf>,
    pub resources: Vec<String>,
    pub client_credentials: bool,
    pub without_scope: bool,
    pub words: BTreeMap<String, WordsFile>,
}

/// How a person is asked in one language, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct WordsFile {
    pub title: String,
    #[serde(default)]
    pub lines: Vec<String>,
}

/// The registered types, by name.
#[derive(Debug, Default)]
pub struct DetailsTypes(BTreeMap<String, DetailsType>);

/// One of them.
struct DetailsType {
    schema: Validator,
    resources: Vec<String>,
    /// Whether no person need agree to it.
    alone: bool,
    /// Whether it lets tokens in without a scope.
    opens: bool,
    words: BTreeMap<String, Asked>,
}

impl fmt::Debug for DetailsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetailsType")
            .field("resources", &self.resources)
            .field("alone", &self.alone)
            .field("opens", &self.opens)
            .finish_non_exhaustive()
    }
}

/// How a person is asked in one language.
struct Asked {
    title: String,
    lines: Vec<Vec<Piece>>,
}

/// A part of a line.
enum Piece {
    Text(String),
    /// The value at this place of the detail: member names, joined by dots.
    Value(String),
}

/// A detail as a person reads it. Nothing of it is left out: what no line names stands in `rest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What it is about: `Make a payment`.
    pub title: String,
    /// Sentences.
    pub lines: Vec<Vec<Part>>,
    /// Whatever else it says: places and values.
    pub rest: Vec<(String, Vec<Part>)>,
}

/// A part of what a person reads. Whose words they are is seen on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The institution's words.
    Words(String),
    /// The app's, without line breaks and repeated spaces.
    Value(String),
    /// That a member is there and holds nothing.
    Nothing,
}

impl Shown {
    /// The same for a place with little room: a few lines, a few of the other members, and of long texts
    /// their beginning. An ellipsis stands for what is left out.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        const LINES: usize = 4;
        const PARTS: usize = 12;
        const TEXT: usize = 60;
        let cut = |text: &mut String| {
            if let Some((end, _)) = text.char_indices().nth(TEXT) {
                text.truncate(end);
                text.push('…');
            }
        };
        let shorten = |parts: &mut Vec<Part>| {
            let is_long = parts.len() > PARTS;
            parts.truncate(PARTS);
            for part in parts.iter_mut() {
                if let Part::Words(text) | Part::Value(text) = part {
                    cut(text);
                }
            }
            if is_long {
                parts.push(Part::Words("…".to_owned()));
            }
        };
        cut(&mut self.title);
        let is_long = self.lines.len() > LINES || self.rest.len() > LINES;
        self.lines.truncate(LINES);
        self.rest.truncate(LINES);
        self.lines.iter_mut().for_each(shorten);
        for (place, parts) in &mut self.rest {
            cut(place);
            shorten(parts);
        }
        if is_long {
            self.lines.push(vec![Part::Words("…".to_owned())]);
        }
        self
    }
}

impl DetailsTypes {
    /// Demands of each type what it needs; `languages` are those of the pages.
    ///
    /// # Errors
    /// [`Refused`], naming the type.
    pub(super) fn check(all: Vec<DetailsFile>, languages: &[Lang]) -> Result<Self, Refused> {
        let mut types = BTreeMap::new();
        for file in all {
            let name = file.name.clone();
            let usable =
                (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
            if !usable {
                return refuse(
                    SETTING,
                    format!("name {name:?} must be 1 to 200 ASCII characters without spaces"),
                );
            }
            let checked = DetailsType::check(file, languages);
            let checked =
                checked.or_else(|why| refuse(SETTING, format!("the type {name}: {why}")))?;
            if types.insert(name.clone(), checked).is_some() {
                return refuse(SETTING, format!("the type {name} is there twice"));
            }
        }
        Ok(Self(types))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A detail in words; all of it as it is when its type is not registered any more.
    #[must_use]
    pub fn shown(&self, detail: &Value, lang: Lang) -> Shown {
        let name = detail["type"].as_str().unwrap_or_default();
        let mut leaves = BTreeMap::new();
        if let Value::Object(members) = detail {
            for (member, value) in members.iter().filter(|(member, _)| *member != "type") {
                collect(member.clone(), value, &mut leaves);
            }
        }
        let asked = self
            .0
            .get(name)
            .and_then(|known| known.words.get(lang.tag()));
        let mut named = BTreeSet::new();
        let mut lines = Vec::new();
        for line in asked.map_or(&[][..], |asked| &asked.lines) {
            // A line about something that the detail does not say is left out.
            let said = line.iter().map(|piece| match piece {
                Piece::Text(text) => Some(vec![Part::Words(text.clone())]),
                Piece::Value(place) => leaves.get(place).cloned(),
            });
            if let Some(said) = said.collect::<Option<Vec<_>>>() {
                lines.push(said.concat());
                named.extend(line.iter().filter_map(|piece| match piece {
                    Piece::Value(place) => Some(place.clone()),
                    Piece::Text(_) => None,
                }));
            }
        }
        leaves.retain(|place, _| !named.contains(place));
        Shown {
            title: asked.map_or(name, |asked| &asked.title).to_owned(),
            lines,
            rest: leaves.into_iter().collect(),
        }
    }
}

impl Types for DetailsTypes {
    fn resources(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(|known| known.resources.as_slice())
    }

    fn alone(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|known| known.alone)
    }

    fn opens(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|known| known.opens)
    }

    fn check(&self, name: &str, detail: &Value) -> Result<(), String> {
        let Some(known) = self.0.get(name) else {
            return Err("it is not registered".to_owned());
        };
        known.schema.validate(detail).map_err(|error| {
            let place = error.instance_path().to_string();
            // What stands there is not repeated: it may be about a person.
            let rule = error.kind().keyword();
            let place = if place.is_empty() { "it" } else { &place };
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected }
                | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                    format!(
                        "{place} has a member that is not known: {}",
                        unexpected.join(", ")
                    )
                }
                ValidationErrorKind::Required { property } => {
                    format!("{place} lacks {property}")
                }
                _ => format!("{place} is not as the schema has it ({rule})"),
            }
        })
    }
}

impl DetailsType {
    fn check(file: DetailsFile, languages: &[Lang]) -> Result<Self, String> {
        let text = match (file.schema, file.schema_file) {
            (Some(text), None) => text,
            (None, Some(path)) => {
                let unreadable = |why: String| format!("schema_file {}: {why}", path.display());
                let size = std::fs::metadata(&path)
                    .map_err(|e| unreadable(e.to_string()))?
                    .len();
                if size > MAX_SCHEMA {
                    return Err(unreadable(format!("it is longer than {MAX_SCHEMA} bytes")));
                }
                std::fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?
            }
            _ => return Err("set schema or schema_file, one of them".to_owned()),
        };
        let mut schema: Value = serde_json::from_str(&text)
            .map_err(|error| format!("the schema is no JSON: {error}"))?;
        if schema["type"] != "object" || !schema["properties"].is_object() {
            return Err("the schema must have \"type\": \"object\" and \"properties\"".to_owned());
        }
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.insert("type".to_owned(), json!({ "const": file.name }));
        }
        close::close(&mut schema)?;
        let schema = jsonschema::options()
            // In linear time, whatever a partner sends.
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|error| format!("the schema cannot be used: {error}"))?;
        let mut words = BTreeMap::new();
        for lang in languages {
            let tag = lang.tag();
            let Some(written) = file.words.get(tag) else {
                return Err(format!(
                    "the pages are in {tag} too; say in words.{tag} how a person is asked"
                ));
            };
            if written.title.trim().is_empty() {
                return Err(format!("words.{tag}.title is empty"));
            }
            let lines: Result<Vec<_>, String> =
                written.lines.iter().map(|line| pieces(line)).collect();
            let lines = lines.map_err(|why| format!("words.{tag}.lines: {why}"))?;
            let title = written.title.clone();
            words.insert(tag.to_owned(), Asked { title, lines });
        }
        if let Some(uri) = file
            .resources
            .iter()
            .find(|uri| url::Url::parse(uri).is_err())
        {
            return Err(format!("resources: {uri:?} is no URI"));
        }
        Ok(Self {
            schema,
            resources: file.resources,
            alone: file.client_credentials,
            opens: file.without_scope,
            words,
        })
    }
}

/// Takes a line apart: text, and places in braces.
fn pieces(line: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, more)) = after.split_once('}') else {
            return Err(format!("{line:?} has a brace that is not closed"));
        };
        let place = place.trim();
        if place.is_empty() || before.contains('}') || place.contains('{') {
            return Err(format!(
                "{line:?} has braces without a member's name in them"
            ));
        }
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Value(place.to_owned()));
        rest = more;
    }
    if rest.contains('}') {
        return Err(format!("{line:?} has a brace that was not opened"));
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// Every value of a detail by its place; a list of plain values is one. No member's name has a dot.
fn collect(place: String, value: &Value, leaves: &mut BTreeMap<String, Vec<Part>>) {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, inner) in members {
                collect(format!("{place}.{name}"), inner, leaves);
            }
        }
        Value::Array(many) if !many.is_empty() && many.iter().all(is_plain) => {
            let parts = many.iter().map(part).flat_map(|part| {
                let comma = Part::Words(", ".to_owned());
                [comma, part]
            });
            leaves.insert(place, parts.skip(1).collect());
        }
        Value::Array(many) if !many.is_empty() => {
            for (at, inner) in many.iter().enumerate() {
                collect(format!("{place}.{}", at + 1), inner, leaves);
            }
        }
        plain => {
            leaves.insert(place, vec![part(plain)]);
        }
    }
}

/// A plain value as a person reads it.
fn part(value: &Value) -> Part {
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    };
    if text.is_empty() {
        Part::Nothing
    } else {
        Part::Value(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> DetailsFile {
        let words = WordsFile {
            title: "Make a payment".to_owned(),
            lines: vec![
                "{amount.value} {amount.currency} to {to}".to_owned(),
                "For {purpose}".to_owned(),
            ],
        };
        DetailsFile {
            name: "payment".to_owned(),
            schema: Some(
                json!({
                    "type": "object",
                    "required": ["amount", "to"],
                    "properties": {
                        "amount": {
                            "type": "object",
                            "required": ["value", "currency"],
                            "properties": {
                                "value": { "type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$" },
                                "currency": { "enum": ["EUR"] },
                            },
                        },
                        "to": { "type": "string", "maxLength": 70 },
                        "purpose": { "type": "string" },
                        "tags": { "type": "array", "items": { "type": "string" } },
                    },
                })
                .to_string(),
            ),
            words: BTreeMap::from([("en".to_owned(), words)]),
            ..DetailsFile::default()
        }
    }

    fn types() -> DetailsTypes {
        DetailsTypes::check(vec![file()], &[Lang::default()]).unwrap()
    }

    fn payment() -> Value {
        json!({ "type": "payment", "amount": { "value": "9.50", "currency": "EUR" }, "to": "Bakery" })
    }

    #[test]
    fn a_detail_is_as_its_schema_has_it_and_has_no_further_member_at_any_depth() {
        type Spoil = fn(&mut Value);
        let types = types();
        types.check("payment", &payment()).unwrap();
        let cases: [(Spoil, &str); 6] = [
            (|d| d["more"] = 1.into(), "more"),
            (|d| d["amount"]["more"] = 1.into(), "/amount"),
            (|d| d["amount"]["value"] = "1e9".into(), "pattern"),
            (|d| d["to"] = Value::Null, "/to"),
            (|d| d["type"] = "other".into(), "const"),
            (|d| drop(d.as_object_mut().unwrap().remove("to")), "to"),
        ];
        for (spoil, word) in cases {
            let mut detail = payment();
            spoil(&mut detail);
            let why = types.check("payment", &detail).unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
            assert!(!why.contains("1e9"), "values are not repeated: {why}");
        }
        assert!(types.check("other", &payment()).is_err());
    }

    #[test]
    fn where_there_is_little_room_long_texts_are_cut_and_long_lists_end() {
        let mut detail = payment();
        detail["to"] = "ß".repeat(100).into();
        detail["purpose"] = "short".into();
        detail["tags"] = json!(vec!["tag"; 100]);
        let shown = types().shown(&detail, Lang::default());
        let short = shown.clone().shortened();
        assert_eq!(short.title, shown.title);
        assert_eq!(short.lines[1], shown.lines[1]);
        let cut = format!("{}…", "ß".repeat(60));
        assert!(short.lines[0].contains(&Part::Value(cut)));
        assert_eq!(short.lines.len(), 2);
        let tags = &short.rest[0].1;
        assert_eq!(tags.len(), 13);
        assert_eq!(tags.last(), Some(&Part::Words("…".to_owned())));
        for number in 0..5 {
            detail[format!("other{number}")] = "x".into();
        }
        let short = types().shown(&detail, Lang::default()).shortened();
        assert_eq!(short.rest.len(), 4);
        assert_eq!(short.lines.last(), Some(&vec![Part::Words("…".to_owned())]));
    }

    #[test]
    fn a_person_reads_sentences_and_all_that_no_sentence_says() {
        let mut detail = payment();
        let shown = types().shown(&detail, Lang::default());
        assert_eq!(shown.title, "Make a payment");
        let words = |text: &str| Part::Words(text.to_owned());
        let value = |text: &str| Part::Value(text.to_owned());
        let line = [
            value("9.50"),
            words(" "),
            value("EUR"),
            words(" to "),
            value("Bakery"),
        ];
        let said = shown.lines[0].iter().filter(|part| **part != words(""));
        assert_eq!(said.cloned().collect::<Vec<_>>(), line);
        assert!(shown.rest.is_empty() && shown.lines.len() == 1);
        // Nothing that an app writes looks like the institution's words, like a list, or like nothing.
        detail["tags"] = json!(["a, b", "", "–"]);
        detail["list"] = json!([{ "x": 1 }, {}]);
        detail["note"] = " a\u{a0} \u{2003} b ".into();
        let rest = types().shown(&detail, Lang::default()).rest;
        let all = [
            ("list.1.x".to_owned(), vec![value("1")]),
            ("list.2".to_owned(), vec![Part::Nothing]),
            ("note".to_owned(), vec![value("a b")]),
            (
                "tags".to_owned(),
                vec![
                    value("a, b"),
                    words(", "),
                    Part::Nothing,
                    words(", "),
                    value("–"),
                ],
            ),
        ];
        assert_eq!(rest, all);
        let unknown = json!({ "type": "gone", "a": true });
        let shown = types().shown(&unknown, Lang::default());
        assert_eq!(
            (shown.title.as_str(), shown.rest),
            ("gone", vec![("a".to_owned(), vec![value("true")])])
        );
    }

    #[test]
    fn each_mistake_is_named() {
        type Spoil = fn(&mut DetailsFile);
        let cases: [(Spoil, &str); 9] = [
            (|f| f.name = "a b".to_owned(), "without spaces"),
            (|f| f.schema = None, "schema_file"),
            (|f| f.schema = Some("{".to_owned()), "JSON"),
            (|f| f.schema = Some("{}".to_owned()), "properties"),
            (
                |f| {
                    f.schema = Some(
                        r#"{"type":"object","properties":{"a":{"$ref":"https://evil.example/s"}}}"#
                            .to_owned(),
                    );
                },
                "cannot be used",
            ),
            (|f| f.words.clear(), "words.en"),
            (
                |f| f.words.get_mut("en").unwrap().lines = vec!["{a".to_owned()],
                "brace",
            ),
            (
                |f| f.words.get_mut("en").unwrap().lines = vec!["a}".to_owned()],
                "brace",
            ),
            (|f| f.resources = vec!["accounts".to_owned()], "no URI"),
        ];
        for (spoil, word) in cases {
            let mut file = file();
            spoil(&mut file);
            let refused = DetailsTypes::check(vec![file], &[Lang::default()]).unwrap_err();
            assert_eq!(refused.setting, "authorization_details");
            assert!(refused.why.contains(word), "{word}: {}", refused.why);
        }
        let twice = DetailsTypes::check(vec![file(), file()], &[Lang::default()]).unwrap_err();
        assert!(twice.why.contains("twice"));
    }
}
