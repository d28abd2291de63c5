//! Answers to programs: JSON, and the one place where a failure becomes one.

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rules::protocol::{ErrorCode, OAuthError};
use serde_json::Value;

use super::form::BadForm;
use super::limit;
use crate::config::Limit;
use crate::defence::limits::Exceeded;
use crate::fault::Fault;
use crate::flows::Failure;

/// JSON that no cache keeps (RFC 6749 §5.1).
pub fn json(body: &Value) -> Response {
    json_text(body.to_string())
}

/// The same, written already.
pub fn json_text(body: String) -> Response {
    // Room for what the layer around every request adds.
    let mut headers = HeaderMap::with_capacity(20);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = headers;
    response
}

/// Why an answer is not what was asked for: an extension of the response, for the one line that the
/// layer around every request logs.
#[derive(Clone, Debug)]
pub enum Cause {
    /// The request was refused.
    Refused(OAuthError),
    /// Too many requests came.
    Limited(Limit),
    /// The server failed; what it was is for the log alone.
    Failed(String),
}

/// What the body of a response is to tell.
#[derive(Clone)]
struct Told(OAuthError);

/// Writes the body of a refusal or failure, which names a page of this server: the layer around
/// every request knows which server that is.
pub fn finish(mut response: Response, issuer: &str) -> Response {
    let Some(Told(error)) = response.extensions_mut().remove() else {
        return response;
    };
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    // RFC 6750 §3: a challenge that names an error names its page too.
    let challenge = headers
        .get(header::WWW_AUTHENTICATE)
        .and_then(|challenge| challenge.to_str().ok())
        .filter(|challenge| challenge.contains(" error=\""));
    let challenge = challenge.map(|one| format!("{one}, error_uri=\"{}\"", error.uri(issuer)));
    if let Some(Ok(challenge)) = challenge.map(HeaderValue::try_from) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    *response.body_mut() = error.body(issuer).to_string().into();
    response
}

/// A refusal or a failure, as a program reads it.
pub struct ApiError {
    status: StatusCode,
    error: OAuthError,
    fault: Option<String>,
    challenge: Option<HeaderValue>,
    exceeded: Option<Exceeded>,
}

impl ApiError {
    /// With a `WWW-Authenticate` that says how to authenticate.
    pub fn challenge(mut self, challenge: &str) -> Self {
        self.challenge = HeaderValue::from_str(challenge).ok();
        self
    }

    /// With another status than is usual for the error.
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The refusal.
    pub const fn error(&self) -> &OAuthError {
        &self.error
    }
}

impl From<OAuthError> for ApiError {
    fn from(error: OAuthError) -> Self {
        let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        // RFC 6749 §5.2, RFC 9110 §15.5.2: a 401 says how to authenticate.
        let challenge = (error.code == ErrorCode::InvalidClient)
            .then_some(HeaderValue::from_static("Basic realm=\"countersign\""));
        Self {
            status,
            error,
            fault: None,
            challenge,
            exceeded: None,
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let mut this = Self::from(
            OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "this server cannot answer now; nothing was decided, so try again",
            )
            .about("fault"),
        );
        this.fault = Some(fault.to_string());
        this
    }
}

impl From<Exceeded> for ApiError {
    /// No standard has a code for this at these endpoints (`slow_down` is for polling devices, RFC
    /// 8628 §3.5), so it is the one that says that the same request is good later.
    fn from(exceeded: Exceeded) -> Self {
        let mut this = Self::from(
            OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                format!(
                    "too many requests: {} is {} in {} s; wait {} s and send this one again",
                    exceeded.limit.name(),
                    exceeded.rate.count,
                    exceeded.rate.window.as_secs(),
                    exceeded.seconds()
                ),
            )
            .about("too-many-requests"),
        );
        this.status = StatusCode::TOO_MANY_REQUESTS;
        this.exceeded = Some(exceeded);
        this
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error.into(),
            Failure::Limited(exceeded) => exceeded.into(),
            Failure::Fault(fault) => fault.into(),
        }
    }
}

impl From<BadForm> for ApiError {
    fn from(bad: BadForm) -> Self {
        match bad {
            BadForm::Invalid(error) => error.into(),
            BadForm::TooLarge => {
                let error = OAuthError::invalid_request("the body is larger than 64 KiB");
                Self::from(error).status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            BadForm::TooSlow => {
                let error = OAuthError::invalid_request("the body did not arrive in time");
                Self::from(error).status(StatusCode::REQUEST_TIMEOUT)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(&Value::Null);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(exceeded) = &self.exceeded {
            limit::tell_exceeded(headers, exceeded);
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        let told = Told(self.error.clone());
        response.extensions_mut().insert(told);
        response
            .extensions_mut()
            .insert(match (self.fault, self.exceeded) {
                (Some(fault), _) => Cause::Failed(fault),
                (None, Some(exceeded)) => Cause::Limited(exceeded.limit),
                (None, None) => Cause::Refused(self.error),
            });
        response
    }
}
