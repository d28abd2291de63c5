//! Errors as the standards name them.

use std::fmt;

use serde_json::{Value, json};

// One table makes the code and its registered text, so that none can be forgotten.
macro_rules! codes {
    ($($variant:ident $text:literal)*) => {
        /// An error code (RFC 6749 §4.1.2.1, §5.2 and the registry that grew from it).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are the standards' own")]
        pub enum ErrorCode {
            $($variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The registered text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request"
    InvalidClient "invalid_client"
    InvalidGrant "invalid_grant"
    UnauthorizedClient "unauthorized_client"
    UnsupportedGrantType "unsupported_grant_type"
    UnsupportedResponseType "unsupported_response_type"
    UnsupportedTokenType "unsupported_token_type"
    InvalidScope "invalid_scope"
    InvalidTarget "invalid_target"
    AccessDenied "access_denied"
    LoginRequired "login_required"
    ConsentRequired "consent_required"
    InteractionRequired "interaction_required"
    UnmetAuthenticationRequirements "unmet_authentication_requirements"
    InvalidRequestUri "invalid_request_uri"
    InvalidRequestObject "invalid_request_object"
    RequestNotSupported "request_not_supported"
    RequestUriNotSupported "request_uri_not_supported"
    RegistrationNotSupported "registration_not_supported"
    InvalidAuthorizationDetails "invalid_authorization_details"
    InvalidDpopProof "invalid_dpop_proof"
    UseDpopNonce "use_dpop_nonce"
    InvalidToken "invalid_token"
    InsufficientScope "insufficient_scope"
    TemporarilyUnavailable "temporarily_unavailable"
}

impl ErrorCode {
    /// The HTTP status when the error is the body of an answer (RFC 6749 §5.2, RFC 6750 §3.1).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A refusal. `description` is for the partner's developer and says what to change; `detail` is for
/// this server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// Shown: names the parameter, the rule and the remedy.
    pub description: String,
    /// Which part of the page about the code explains this one.
    pub topic: Option<&'static str>,
    /// Logged once, at the edge; never shown.
    pub detail: Option<String>,
}

impl OAuthError {
    /// A refusal with what the developer should know. Characters that the standards forbid in
    /// `error_description` (RFC 6749 §5.2) are replaced.
    #[must_use]
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        let description = printable(description.as_ref());
        Self {
            code,
            description,
            topic: None,
            detail: None,
        }
    }

    /// `invalid_request`.
    #[must_use]
    pub fn invalid_request(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`.
    #[must_use]
    pub fn invalid_grant(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`.
    #[must_use]
    pub fn invalid_client(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// The same refusal, explained by this part of the page about its code.
    #[must_use]
    pub const fn about(mut self, topic: &'static str) -> Self {
        self.topic = Some(topic);
        self
    }

    /// The page that explains it (RFC 6749 §5.2): of the server itself.
    #[must_use]
    pub fn uri(&self, issuer: &str) -> String {
        let code = self.code.as_str();
        match self.topic {
            Some(topic) => format!("{issuer}/errors/{code}#{topic}"),
            None => format!("{issuer}/errors/{code}"),
        }
    }

    /// The same refusal with what only the log should say.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The JSON body (RFC 6749 §5.2).
    #[must_use]
    pub fn body(&self, issuer: &str) -> Value {
        json!({
            "error": self.code.as_str(),
            "error_description": self.description,
            "error_uri": self.uri(issuer),
        })
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl std::error::Error for OAuthError {}

/// Keeps %x20-21 / %x23-5B / %x5D-7E, replaces quotes by apostrophes and all else by `?`.
fn printable(text: &str) -> String {
    let keep = |c| match c {
        '"' => '\'',
        ' '..='!' | '#'..='[' | ']'..='~' => c,
        _ => '?',
    };
    text.chars().take(600).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_to_the_permitted_characters() {
        let error = OAuthError::invalid_request("a \"b\" \\ \r\n é");
        assert_eq!(error.description, "a 'b' ? ?? ?");
    }
}
