//! A mail as the demo's people read it: subject, date and plain text, out of what came over the wire
//! (RFC 5322, RFC 2045, RFC 2046, RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How deep parts are looked for in parts.
const DEEPEST: usize = 4;

/// A mail that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The addresses that it was handed over for.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The time that it bears, as it is written there.
    pub date: String,
    /// Its plain text, lines ended by `\n`; empty when it has none.
    pub text: String,
}

/// A stretch of a mail's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Nothing but text.
    Text(String),
    /// An address of the issuer.
    Link(String),
}

impl Received {
    /// Reads what came for `to`.
    #[must_use]
    pub fn read(to: String, raw: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(raw);
        let part = Part::of(&raw);
        Self {
            to,
            subject: plain_words(part.header("subject")),
            date: part.header("date").to_owned(),
            text: part.text(DEEPEST).unwrap_or_default(),
        }
    }

    /// The text, with the addresses of `issuer` (an origin) apart: nothing else becomes a link.
    #[must_use]
    pub fn pieces(&self, issuer: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        for token in self.text.split_inclusive(ends_a_word) {
            let word = token.trim_end_matches(ends_a_word);
            let word = word.trim_end_matches(['.', ',', ';', ':', ')']);
            let path = word.strip_prefix(issuer);
            if path.is_some_and(|path| path.is_empty() || path.starts_with('/')) {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Link(word.to_owned()));
                text.push_str(&token[word.len()..]);
            } else {
                text.push_str(token);
            }
        }
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        pieces
    }
}

/// White space, and the marks that set apart what has a writing direction of its own.
fn ends_a_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2066}'..='\u{2069}')
}

/// Headers and what follows them: a whole mail, or a part of one.
struct Part<'a> {
    headers: Vec<(String, String)>,
    body: &'a str,
}

impl<'a> Part<'a> {
    fn of(raw: &'a str) -> Self {
        let (head, body) = match raw.strip_prefix("\r\n") {
            Some(body) => ("", body),
            None => raw.split_once("\r\n\r\n").unwrap_or((raw, "")),
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.split("\r\n") {
            // RFC 5322 §2.2.3: a line that begins with white space goes on with the one before.
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push_str(line);
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.to_owned()));
            }
        }
        Self { headers, body }
    }

    fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        values.next().map_or("", |(_, value)| value.trim())
    }

    /// The first plain text in it.
    fn text(&self, deepest: usize) -> Option<String> {
        let (kind, parameters) = split_parameters(self.header("content-type"));
        match kind.to_ascii_lowercase().as_str() {
            // RFC 2045 §5.2: what does not say what it is, is plain text.
            "" | "text/plain" => Some(self.decoded().replace("\r\n", "\n")),
            kind if kind.starts_with("multipart/") => {
                let (boundary, deepest) = (boundary(parameters)?, deepest.checked_sub(1)?);
                // RFC 2046 §5.1.1: a boundary begins a line, the first as well.
                let body = format!("\r\n{}", self.body);
                let delimiter = format!("\r\n--{boundary}");
                let parts = body.split(&delimiter).skip(1);
                let mut parts = parts.filter_map(|part| part.split_once("\r\n"));
                parts.find_map(|(rest, part)| {
                    let begins = rest.trim().is_empty();
                    begins.then(|| Part::of(part).text(deepest)).flatten()
                })
            }
            _ => None,
        }
    }

    fn decoded(&self) -> String {
        let encoding = self.header("content-transfer-encoding");
        let bytes = match encoding.to_ascii_lowercase().as_str() {
            "quoted-printable" => unquoted(self.body),
            "base64" => unpacked(self.body),
            _ => return self.body.to_owned(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn split_parameters(value: &str) -> (&str, &str) {
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    (kind.trim(), parameters)
}

fn boundary(parameters: &str) -> Option<&str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_it = name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty();
        is_it.then_some(value)
    })
}

/// Undoes quoted-printable (RFC 2045 §6.7); what is none stays as it is.
fn unquoted(text: &str) -> Vec<u8> {
    let joined = text.replace("=\r\n", "");
    let mut rest = joined.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, more)) = rest.split_first() {
        let quoted = if first == b'=' { hex(more) } else { None };
        bytes.push(quoted.unwrap_or(first));
        rest = if quoted.is_some() { &more[2..] } else { more };
    }
    bytes
}

/// The byte that two hexadecimal digits stand for.
fn hex(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Undoes Base64 over several lines (RFC 2045 §6.8); nothing when it is none.
fn unpacked(text: &str) -> Vec<u8> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).unwrap_or_default()
}

/// A header's text with its encoded words read (RFC 2047); those in other letters than UTF-8 stay as they
/// are.
fn plain_words(text: &str) -> String {
    let (mut shown, mut rest, mut after_word) = (String::new(), text, false);
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let word = encoded_word(from);
        // RFC 2047 §6.2: the space between two of them is none.
        if !(after_word && word.is_some() && before.trim().is_empty()) {
            shown.push_str(before);
        }
        after_word = word.is_some();
        rest = if let Some((word, more)) = word {
            shown.push_str(&word);
            more
        } else {
            shown.push_str("=?");
            &from[2..]
        };
    }
    shown + rest
}

/// The encoded word that `text` begins with, and what comes after it.
fn encoded_word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (word, rest) = rest.split_once("?=")?;
    let known = ["utf-8", "us-ascii"];
    if !known.iter().any(|name| charset.eq_ignore_ascii_case(name)) {
        return None;
    }
    let bytes = match encoding {
        "b" | "B" => unpacked(word),
        "q" | "Q" => unquoted(&word.replace('_', " ")),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "http://localhost:9400";

    fn read(raw: &str) -> Received {
        let raw = raw.replace('\n', "\r\n");
        Received::read("ada@people.example".to_owned(), raw.as_bytes())
    }

    #[test]
    fn the_plain_text_is_found_among_the_parts() {
        let mail = read(
            "Subject: =?utf-8?b?R3LDvMOfZQ==?=\n =?UTF-8?Q?_an_Z=C3=BCrich?= heute\n\
             Date: Sun, 22 Nov 2026 20:10:56 +0000\n\
             Content-Type: multipart/mixed;\n boundary=\"outer\"\n\n\
             preamble\n--outer\nContent-Type: multipart/alternative; boundary=inner\n\n\
             --inner\nContent-Type: text/html\n\n<p>no</p>\n\
             --inner\nContent-Type: Text/Plain; charset=utf-8\n\
             Content-Transfer-Encoding: quoted-printable\n\n\
             caf=C3=A9 <b>=\n and 1=3D1\nend\n--inner--\n--outer--\n",
        );
        assert_eq!(mail.subject, "Grüße an Zürich heute");
        assert_eq!(mail.date, "Sun, 22 Nov 2026 20:10:56 +0000");
        assert_eq!(mail.text, "café <b> and 1=1\nend");
    }

    #[test]
    fn packed_text_is_unpacked_over_lines() {
        let mail = read("Content-Transfer-Encoding: BASE64\n\nY2Fmw6k\ng8J+N\nng==\n");
        assert_eq!(mail.text, "café 🍞");
    }

    #[test]
    fn what_cannot_be_read_is_no_fault() {
        for raw in [
            "",
            "\n",
            "Subject",
            "Subject: =?utf-8?b?\n\n=",
            "Content-Type: multipart/mixed\n\n--\n",
            "Content-Type: multipart/mixed; boundary=a\n\n--a",
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; \
             boundary=a\n\n--a\n",
            "Content-Transfer-Encoding: base64\n\n!",
            "Content-Type: text/html\n\n<p>",
        ] {
            assert_eq!(read(raw).to, "ada@people.example", "{raw:?}");
        }
        assert_eq!(unquoted("=G0=4"), b"=G0=4");
        assert_eq!(plain_words("=?koi8-r?q?x?= =?"), "=?koi8-r?q?x?= =?");
    }

    #[test]
    fn only_addresses_of_the_issuer_become_links() {
        let links = |text: &str| -> Vec<String> {
            let mail = read(&format!("Subject: x\n\n{text}"));
            let pieces = mail.pieces(ISSUER);
            let mut whole = String::new();
            let mut links = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => whole.push_str(&text),
                    Piece::Link(link) => {
                        whole.push_str(&link);
                        links.push(link);
                    }
                }
            }
            assert_eq!(whole, text, "nothing is lost");
            links
        };
        let own = links(
            "Open:\nhttp://localhost:9400/account\nor \u{2068}http://localhost:9400\u{2069}.",
        );
        assert_eq!(own, ["http://localhost:9400/account", ISSUER]);
        for other in [
            "https://localhost:9400/account",
            "http://localhost:9400.evil.example/",
            "http://localhost:9400@evil.example/",
            "http://localhost:94001/",
            "http://evil.example/http://localhost:9400/",
            "javascript:alert(1)//http://localhost:9400/",
        ] {
            assert_eq!(links(other), [""; 0], "{other}");
        }
    }
}
