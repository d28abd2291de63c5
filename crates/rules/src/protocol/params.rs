//! Request parameters: a form body or a query, each name at most once.

use super::error::OAuthError;
use crate::jose::MAX_TOKEN_BYTES;

/// The longest value of a parameter, in bytes.
pub const MAX_VALUE: usize = 8 * 1024;
/// Parameters that are JWTs, and as long as these may be ([`MAX_TOKEN_BYTES`]).
const JWTS: [&str; 3] = ["request", "client_assertion", "id_token_hint"];
/// The most parameters in one request.
pub const MAX_COUNT: usize = 64;

/// What a request may send more than once (RFC 8707 §2).
const REPEATABLE: [&str; 1] = ["resource"];

/// Parameters by name. An empty value is the same as none (RFC 6749 §3.1). So few that looking
/// through all of them is quicker than a table.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, Vec<String>)>);

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

/// A parameter that cannot be read, and why.
#[derive(Clone, Debug)]
pub struct Flaw {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub error: OAuthError,
}

impl Params {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `invalid_request` for a repeated name other than `resource` (RFC 6749 §3.1, RFC 8707 §2), a
    /// value that is no UTF-8, too long, or holds control characters, and for too many parameters.
    pub fn parse(form: &[u8]) -> Result<Self, OAuthError> {
        Self::parse_repeating(form, &REPEATABLE)
    }

    /// Reads a form in which the names in `repeatable` may repeat: the check boxes of a page.
    ///
    /// # Errors
    /// As [`Params::parse`].
    pub fn parse_repeating(form: &[u8], repeatable: &[&str]) -> Result<Self, OAuthError> {
        Self::read(form, repeatable, |_, error| Err(error))
    }

    /// Reads a form or query each parameter for itself: of one that cannot be read nothing is kept, and
    /// why is told beside the others (RFC 6749 §4.1.2.1 lets the client know of it).
    ///
    /// # Errors
    /// `invalid_request` for too many parameters.
    pub fn parse_each(form: &[u8]) -> Result<(Self, Vec<Flaw>), OAuthError> {
        let mut flaws: Vec<Flaw> = Vec::new();
        let mut params = Self::read(form, &REPEATABLE, |name, error| {
            let name = name.to_owned();
            flaws.push(Flaw { name, error });
            Ok(())
        })?;
        // Which of two was meant is not known.
        params
            .0
            .retain(|(name, _)| flaws.iter().all(|flaw| flaw.name != *name));
        Ok((params, flaws))
    }

    /// Hands what is wrong with a parameter to `flawed`, which may end the reading.
    fn read(
        form: &[u8],
        repeatable: &[&str],
        mut flawed: impl FnMut(&str, OAuthError) -> Result<(), OAuthError>,
    ) -> Result<Self, OAuthError> {
        let mut params = Self::default();
        let mut count = 0;
        let mut one = |name: &str, value: String, is_printable: bool| {
            count += 1;
            if count > MAX_COUNT {
                return Err(OAuthError::invalid_request(format!(
                    "more than {MAX_COUNT} parameters"
                )));
            }
            let checked = if is_printable {
                Ok(())
            } else {
                check_printable(name, &value)
            };
            checked
                .and_then(|()| params.take(name, value, repeatable))
                .or_else(|error| flawed(name, error))
        };
        for pair in form.split(|byte| *byte == b'&') {
            // Most are what they say: printable, and in need of no decoding.
            if let Some(plain) = plain(pair) {
                let (name, value) = plain.split_once('=').unwrap_or((plain, ""));
                one(name, value.to_owned(), true)?;
                continue;
            }
            for (name, value) in url::form_urlencoded::parse(pair) {
                one(&name, value.into_owned(), false)?;
            }
        }
        Ok(params)
    }

    /// From names and values that came in another form.
    ///
    /// # Errors
    /// As [`Params::parse`].
    pub fn from_pairs<'n>(
        pairs: impl IntoIterator<Item = (&'n str, String)>,
    ) -> Result<Self, OAuthError> {
        let mut params = Self::default();
        for (count, (name, value)) in pairs.into_iter().enumerate() {
            if count >= MAX_COUNT {
                return Err(OAuthError::invalid_request(format!(
                    "more than {MAX_COUNT} parameters"
                )));
            }
            check_printable(name, &value)?;
            params.take(name, value, &REPEATABLE)?;
        }
        Ok(params)
    }

    fn take(&mut self, name: &str, value: String, repeatable: &[&str]) -> Result<(), OAuthError> {
        let longest = if JWTS.contains(&name) {
            MAX_TOKEN_BYTES
        } else {
            MAX_VALUE
        };
        if value.len() > longest || name.len() > 256 {
            return Err(OAuthError::invalid_request(format!(
                "{} is longer than {longest} bytes",
                shown(name)
            )));
        }
        if value.is_empty() {
            return Ok(());
        }
        match self.0.iter_mut().find(|(known, _)| known == name) {
            None => self.0.push((name.to_owned(), vec![value])),
            Some((_, values)) if repeatable.contains(&name) => values.push(value),
            Some(_) => {
                let text = format!("{} is repeated; send it once", shown(name));
                return Err(OAuthError::invalid_request(text).about("repeated-parameter"));
            }
        }
        Ok(())
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` that names it.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| {
            OAuthError::invalid_request(format!("{name} is missing")).about("missing-parameter")
        })
    }

    /// Every value of a parameter, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, values)| values)
    }

    /// Every `resource` (RFC 8707 §2), in order.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        self.all("resource")
    }
}

/// As much of a name as an error says.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Whether a value is text that can be shown, and every byte of it was UTF-8.
fn check_printable(name: &str, value: &str) -> Result<(), OAuthError> {
    if !value.chars().any(|c| c == '\u{fffd}' || c.is_control()) {
        return Ok(());
    }
    Err(OAuthError::invalid_request(format!(
        "{} is not printable UTF-8; encode it as application/x-www-form-urlencoded",
        shown(name)
    )))
}

/// The text of bytes that mean themselves in a form: printable ASCII without escapes.
pub(super) fn plain(bytes: &[u8]) -> Option<&str> {
    let odd = |byte: u8| !matches!(byte, b' '..=b'~') | matches!(byte, b'%' | b'+' | b'&');
    // All of them, without a branch between: many are looked at together.
    let is_odd = bytes
        .iter()
        .fold(false, |odd_so_far, byte| odd_so_far | odd(*byte));
    (!bytes.is_empty() && !is_odd)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_and_named() {
        let error = Params::parse(b"scope=a&scope=a").unwrap_err();
        assert!(error.description.contains("scope is repeated"));
    }

    #[test]
    fn resource_may_repeat() {
        let params = Params::parse(b"resource=a&resource=b").unwrap();
        assert_eq!(params.resources(), ["a", "b"]);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_rest_standing() {
        let (params, flaws) = Params::parse_each(b"a=1&state=x&b=%ff&state=y&c=2").unwrap();
        let flawed: Vec<&str> = flaws.iter().map(|flaw| flaw.name.as_str()).collect();
        assert_eq!(flawed, ["b", "state"]);
        assert_eq!(
            params.get("state"),
            None,
            "which one was meant is not known"
        );
        assert_eq!((params.get("a"), params.get("c")), (Some("1"), Some("2")));
        assert!(Params::parse_each("a=1&".repeat(MAX_COUNT + 1).as_bytes()).is_err());
    }

    #[test]
    fn an_empty_value_is_none() {
        assert_eq!(Params::parse(b"state=").unwrap().get("state"), None);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused() {
        assert!(Params::parse(b"state=%ff").is_err());
        assert!(Params::parse(b"state=a%00b").is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_pair_is_read_as_the_standard_has_it(form in "[a-c=&%+2 é]{0,40}") {
            let mut expected: HashMap<String, Vec<String>> = HashMap::new();
            for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
                if !value.is_empty() {
                    expected.entry(name.into_owned()).or_default().push(value.into_owned());
                }
            }
            let names: Vec<&str> = expected.keys().map(String::as_str).collect();
            match Params::parse_repeating(form.as_bytes(), &names) {
                Ok(params) => {
                    let read = params.0.into_iter().collect();
                    proptest::prop_assert_eq!(expected, read);
                }
                // What is refused is not printable.
                Err(error) => proptest::prop_assert!(error.description.contains("printable")),
            }
        }

        #[test]
        fn anything_is_answered(bytes: Vec<u8>) {
            let _ = Params::parse(&bytes);
        }
    }
}
