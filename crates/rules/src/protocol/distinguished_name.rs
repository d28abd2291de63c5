//! Distinguished names as text (RFC 4514) and as certificates have them, compared as directories do:
//! ignoring case and runs of white space (RFC 4517 §4.2.11), the attributes of one level in any order.

use unicode_normalization::UnicodeNormalization as _;

/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 2000;
/// The most levels of a name.
const MAX_LEVELS: usize = 32;

/// Short names of attribute types (RFC 4514 §3, RFC 4519, RFC 5280, EN 319 412-1).
const TYPES: [(&str, &str); 22] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("GN", "2.5.4.42"),
    ("givenName", "2.5.4.42"),
    ("organizationIdentifier", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3"),
    ("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2"),
];

/// A name: its levels, the widest (mostly the country) first, as in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<Level>);

/// One level of a name: mostly one attribute.
pub type Level = Vec<Attribute>;

/// An attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its type: an object identifier in numbers with dots.
    pub oid: String,
    /// Its value.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// The bytes of its encoding (DER), where it is no text, or was written with `#`.
    Der(Vec<u8>),
    /// What a certificate has: its encoding, and the text when it is one.
    Both(Vec<u8>, String),
}

impl Name {
    /// Reads `CN=budget,O=Pocket Budget AG,C=CH` (RFC 4514 §3): the narrowest level comes first.
    /// White space around types and values is let pass.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("the subject is longer than {MAX_BYTES} bytes"));
        }
        let mut levels = Vec::new();
        for level in split(text, ',') {
            let attributes = split(level, '+').into_iter().map(attribute);
            levels.push(attributes.collect::<Result<Level, _>>()?);
        }
        if levels.len() > MAX_LEVELS {
            return Err(format!("the subject has more than {MAX_LEVELS} levels"));
        }
        levels.reverse();
        Ok(Self(levels))
    }

    /// Whether both are the same name.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let same = |a: &Level, b: &Level| {
            a.len() == b.len()
                && a.iter().all(|one| b.iter().any(|two| one.matches(two)))
                && b.iter().all(|one| a.iter().any(|two| one.matches(two)))
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| same(a, b))
    }
}

impl Attribute {
    fn matches(&self, other: &Self) -> bool {
        self.oid == other.oid && self.value.matches(&other.value)
    }
}

impl Value {
    fn matches(&self, other: &Self) -> bool {
        if let (Some(a), Some(b)) = (self.text(), other.text()) {
            return prepared(a) == prepared(b);
        }
        matches!((self.der(), other.der()), (Some(a), Some(b)) if a == b)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Both(_, text) => Some(text),
            Self::Der(_) => None,
        }
    }

    fn der(&self) -> Option<&[u8]> {
        match self {
            Self::Der(der) | Self::Both(der, _) => Some(der),
            Self::Text(_) => None,
        }
    }
}

/// RFC 4518 §2, in short: compatible forms, case and runs of white space are one.
fn prepared(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Splits at a separator that no backslash stands before.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

fn attribute(text: &str) -> Result<Attribute, String> {
    let (kind, value) = text.split_once('=').ok_or(
        "each part of the subject must be written as TYPE=value, such as CN=budget,O=Pocket Budget \
         AG,C=CH (RFC 4514)",
    )?;
    let (kind, value) = (kind.trim(), value.trim_start());
    let known = TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(kind));
    let oid = match known {
        Some((_, oid)) => (*oid).to_owned(),
        None if is_oid(kind) => kind.to_owned(),
        None => {
            return Err(format!(
                "the attribute type {:?} of the subject is not known; write its object identifier, \
                 such as 2.5.4.3",
                kind.chars().take(40).collect::<String>()
            ));
        }
    };
    let value = match value.strip_prefix('#') {
        Some(hex) => Value::Der(bytes(hex.trim_end())?),
        None => Value::Text(unescaped(value)?),
    };
    Ok(Attribute { oid, value })
}

fn is_oid(text: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    text.len() <= 100 && text.contains('.') && text.split('.').all(number)
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let wrong = || "after # the subject needs pairs of hexadecimal digits".to_owned();
    if hex.is_empty() || !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return Err(wrong());
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

/// RFC 4514 §3: a backslash takes the next character as it is, or two digits as a byte of UTF-8.
fn unescaped(text: &str) -> Result<String, String> {
    let mut taken: Vec<u8> = Vec::with_capacity(text.len());
    let mut kept = 0;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let pair = rest
                    .get(..2)
                    .and_then(|pair| std::str::from_utf8(pair).ok());
                let pair = pair.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
                if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                    taken.push(byte);
                    rest = rest.get(2..).unwrap_or_default();
                } else if let Some((&next, after)) = rest.split_first() {
                    if !b" \"#+,;<=>\\".contains(&next) {
                        return Err(
                            "a backslash in the subject stands before one of \"+,;<>\\#= or two \
                             hexadecimal digits"
                                .to_owned(),
                        );
                    }
                    taken.push(next);
                    rest = after;
                } else {
                    return Err("the subject ends with a backslash".to_owned());
                }
                kept = taken.len();
            }
            b'"' | b';' | b'<' | b'>' | 0 => {
                return Err(format!(
                    "write the character {:?} of the subject with a backslash before it",
                    char::from(byte)
                ));
            }
            b' ' => taken.push(byte),
            _ => {
                taken.push(byte);
                kept = taken.len();
            }
        }
    }
    // What stands at the end unescaped is white space around the value.
    taken.truncate(kept);
    let text = String::from_utf8(taken).map_err(|_| "the subject is not UTF-8".to_owned())?;
    if text.is_empty() {
        return Err("a value of the subject is empty".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Name::parse(a).unwrap().matches(&Name::parse(b).unwrap())
    }

    #[test]
    fn names_are_compared_as_directories_do() {
        let name = "CN=Pocket Budget,O=Pocket Budget AG,C=CH";
        for alike in [
            "cn=pocket budget,o=POCKET BUDGET AG,c=ch",
            "CN = Pocket  Budget , O = Pocket Budget AG , C = CH ",
            "2.5.4.3=Pocket Budget,2.5.4.10=Pocket Budget AG,2.5.4.6=CH",
            r"CN=Pocket\20Budget,O=Pocket Budget AG,C=CH",
        ] {
            assert!(same(name, alike), "{alike}");
        }
        for other in [
            "CN=Pocket Budget,O=Pocket Budget AG",
            "CN=Pocket Budget,O=Pocket Budget AG,C=DE",
            "O=Pocket Budget AG,CN=Pocket Budget,C=CH",
            "CN=PocketBudget,O=Pocket Budget AG,C=CH",
            "OU=Pocket Budget,O=Pocket Budget AG,C=CH",
            "CN=Pocket Budget+OU=x,O=Pocket Budget AG,C=CH",
            r"CN=Pocket Budget\,O=Pocket Budget AG,C=CH",
        ] {
            assert!(!same(name, other), "{other}");
        }
    }

    /// RFC 4514 §4.
    #[test]
    fn the_rfcs_examples_are_understood() {
        let values = |text: &str| -> Vec<Value> {
            let levels = Name::parse(text).unwrap().0;
            levels
                .into_iter()
                .rev()
                .flatten()
                .map(|a| a.value)
                .collect()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            values("UID=jsmith,DC=example,DC=net"),
            [text("jsmith"), text("example"), text("net")]
        );
        assert_eq!(
            values("OU=Sales+CN=J.  Smith,DC=example,DC=net")[..2],
            [text("Sales"), text("J.  Smith")]
        );
        assert_eq!(
            values(r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#)[0],
            text("James \"Jim\" Smith, III")
        );
        assert_eq!(
            values(r"CN=Before\0dAfter,DC=example,DC=net")[0],
            text("Before\rAfter")
        );
        assert_eq!(
            values("1.3.6.1.4.1.1466.0=#04024869"),
            [Value::Der(vec![4, 2, 0x48, 0x69])]
        );
        assert_eq!(values(r"CN=Lu\C4\8Di\C4\87"), [text("Lučić")]);
        assert!(same(
            "OU=Sales+CN=J. Smith,DC=net",
            "CN=J.  Smith+OU=sales,DC=net"
        ));
    }

    #[test]
    fn bytes_of_a_certificate_match_text_and_bytes() {
        let own = |value| {
            Name(vec![vec![Attribute {
                oid: "2.5.4.3".to_owned(),
                value,
            }]])
        };
        let certificate = own(Value::Both(vec![0x0c, 2, 0x68, 0x69], "hi".to_owned()));
        assert!(Name::parse("CN=HI").unwrap().matches(&certificate));
        assert!(Name::parse("CN=#0c026869").unwrap().matches(&certificate));
        assert!(!Name::parse("CN=#13026869").unwrap().matches(&certificate));
        let no_text = own(Value::Der(vec![4, 1, 0x68]));
        assert!(!Name::parse("CN=h").unwrap().matches(&no_text));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, word) in [
            ("", "TYPE=value"),
            ("budget", "TYPE=value"),
            ("CN=a,", "TYPE=value"),
            ("XX=a", "not known"),
            ("CN=", "empty"),
            ("CN=#0", "hexadecimal"),
            ("CN=a\\", "backslash"),
            ("CN=\\x", "backslash"),
            ("CN=\"a\"", "backslash"),
            ("CN=\\ff", "UTF-8"),
        ] {
            let refused = Name::parse(text).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
        assert!(Name::parse(&"CN=a,".repeat(1000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn anything_is_answered(text in ".*") {
            if let Ok(name) = Name::parse(&text) {
                proptest::prop_assert!(name.matches(&name));
            }
        }
    }
}
