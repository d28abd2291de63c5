//! How a client says who it is (RFC 6749 §2.3, RFC 7521 §4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::OAuthError;
use super::params::{Params, plain};
use crate::jose;

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client presents. `Debug` is left out: it holds secrets.
pub enum Credentials {
    /// `client_secret_basic` or `client_secret_post`.
    Secret {
        /// `client_id`.
        id: String,
        /// `client_secret`.
        secret: Zeroizing<String>,
    },
    /// `private_key_jwt`.
    Assertion {
        /// The client that the assertion claims to come from; not yet verified.
        id: String,
        /// The assertion.
        jwt: String,
    },
    /// Its name alone: a public client.
    Name {
        /// `client_id`.
        id: String,
    },
}

impl Credentials {
    /// Reads the `Authorization` header and the form.
    ///
    /// # Errors
    /// `invalid_client` when nothing is presented or it cannot be read; `invalid_request` for more
    /// than one method (RFC 6749 §2.3).
    pub fn parse(authorization: Option<&str>, params: &Params) -> Result<Self, OAuthError> {
        let named = params.get("client_id");
        let secret = params.get("client_secret");
        let assertion = params.get("client_assertion");
        let methods = [
            authorization.is_some(),
            secret.is_some(),
            assertion.is_some(),
        ];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(OAuthError::invalid_request(
                "the client authenticates in more than one way; use one (RFC 6749 section 2.3)",
            )
            .about("two-methods"));
        }
        let found = if let Some(header) = authorization {
            basic(header)?
        } else if let Some(jwt) = assertion {
            bearer(jwt, params)?
        } else {
            let id = named.ok_or_else(|| {
                OAuthError::invalid_client("the request does not say which client it comes from")
            })?;
            match secret {
                Some(secret) => Self::Secret {
                    id: id.to_owned(),
                    secret: Zeroizing::new(secret.to_owned()),
                },
                None => Self::Name { id: id.to_owned() },
            }
        };
        if named.is_some_and(|named| named != found.id()) {
            return Err(OAuthError::invalid_client(
                "client_id is not the client that authenticates",
            ));
        }
        Ok(found)
    }

    /// `client_id`, as claimed.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Secret { id, .. } | Self::Assertion { id, .. } | Self::Name { id } => id,
        }
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they become user name and password.
fn basic(header: &str) -> Result<Credentials, OAuthError> {
    let malformed = || {
        OAuthError::invalid_client(
            "the Authorization header must be Basic with the form-encoded client id and secret",
        )
        .about("header")
    };
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = Zeroizing::new(String::from_utf8(decoded).map_err(|_| malformed())?);
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let decode = |text: &str| {
        if text.contains(['&', '=']) || plain(text.as_bytes()).is_some() {
            return text.to_owned();
        }
        let pair = ["x=", text].concat();
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .map_or_else(String::new, |(_, value)| value.into_owned())
    };
    Ok(Credentials::Secret {
        id: decode(id),
        secret: Zeroizing::new(decode(secret)),
    })
}

fn bearer(jwt: &str, params: &Params) -> Result<Credentials, OAuthError> {
    if params.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(OAuthError::invalid_client(format!(
            "client_assertion_type must be {JWT_BEARER}"
        ))
        .about("assertion"));
    }
    // Only to find the keys to verify with.
    let peeked = jose::dangerous_peek(jwt).map_err(|error| {
        OAuthError::invalid_client(format!("client_assertion: {error}")).about("assertion")
    })?;
    let subject = peeked.payload.get("sub").and_then(|sub| sub.as_str());
    let id = subject.ok_or_else(|| {
        OAuthError::invalid_client("client_assertion: sub is missing; it must be the client id")
            .about("assertion")
    })?;
    Ok(Credentials::Assertion {
        id: id.to_owned(),
        jwt: jwt.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: Option<&str>, form: &str) -> Result<Credentials, OAuthError> {
        Credentials::parse(header, &Params::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn basic_is_form_decoded() {
        let header = format!("Basic {}", STANDARD.encode("a%3Ab:s+%26"));
        match parse(Some(&header), "").ok() {
            Some(Credentials::Secret { id, secret }) => {
                assert_eq!((id.as_str(), secret.as_str()), ("a:b", "s &"));
            }
            _ => panic!("not read"),
        }
    }

    #[test]
    fn two_methods_at_once_are_refused() {
        let header = format!("Basic {}", STANDARD.encode("a:b"));
        let error = parse(Some(&header), "client_secret=b").err().unwrap();
        assert_eq!(error.code.as_str(), "invalid_request");
    }

    #[test]
    fn a_client_id_that_differs_is_refused() {
        let header = format!("Basic {}", STANDARD.encode("a:b"));
        let error = parse(Some(&header), "client_id=c").err().unwrap();
        assert_eq!(error.code.as_str(), "invalid_client");
        assert!(parse(None, "").is_err());
        assert!(parse(Some("Bearer x"), "").is_err());
        assert!(parse(Some("Basic !"), "").is_err());
    }
}
