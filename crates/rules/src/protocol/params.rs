//! Request parameters: a form body or a query, each name at most once.

use std::collections::HashMap;

use super::error::OAuthError;

/// The longest value of a parameter, in bytes.
pub const MAX_VALUE: usize = 8 * 1024;
/// The most parameters in one request.
pub const MAX_COUNT: usize = 64;

/// Parameters by name. An empty value is the same as none (RFC 6749 §3.1).
#[derive(Clone, Default)]
pub struct Params {
    values: HashMap<String, String>,
    resources: Vec<String>,
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Params {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `invalid_request` for a repeated name other than `resource` (RFC 6749 §3.1, RFC 8707 §2), a
    /// value that is no UTF-8, too long, or holds control characters, and for too many parameters.
    pub fn parse(form: &[u8]) -> Result<Self, OAuthError> {
        let mut params = Self::default();
        let mut count = 0;
        for (name, value) in url::form_urlencoded::parse(form) {
            count += 1;
            if count > MAX_COUNT {
                return Err(OAuthError::invalid_request(format!(
                    "more than {MAX_COUNT} parameters"
                )));
            }
            params.take(&name, value.into_owned())?;
        }
        Ok(params)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), OAuthError> {
        let shown: String = name.chars().take(40).collect();
        if value.len() > MAX_VALUE || name.len() > 256 {
            return Err(OAuthError::invalid_request(format!(
                "{shown} is longer than {MAX_VALUE} bytes"
            )));
        }
        if value.contains('\u{fffd}') || value.chars().any(char::is_control) {
            return Err(OAuthError::invalid_request(format!(
                "{shown} is not printable UTF-8; encode it as application/x-www-form-urlencoded"
            )));
        }
        if value.is_empty() {
            return Ok(());
        }
        if name == "resource" {
            self.resources.push(value);
            return Ok(());
        }
        match self.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(OAuthError::invalid_request(format!(
                "{shown} is repeated; send it once"
            ))),
        }
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` that names it.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Every `resource` (RFC 8707 §2), in order.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resources
    }
}

#[cfg(test)]
mod tests {
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
        fn anything_is_answered(bytes: Vec<u8>) {
            let _ = Params::parse(&bytes);
        }
    }
}
