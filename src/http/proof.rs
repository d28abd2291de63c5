//! The headers of DPoP (RFC 9449 §4.1, §8).

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use rules::protocol::dpop::ProofError;
use rules::protocol::{ErrorCode, OAuthError};

use super::one::{Unusable, one};
use super::reply::Cause;
use crate::app::App;
use crate::flows::prove;

/// Where proofs stand.
const PROOF: HeaderName = HeaderName::from_static("dpop");
/// Where nonces for them stand.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The proof of a request, unread.
///
/// # Errors
/// `invalid_dpop_proof` for more than one (RFC 9449 §4.3 (1)) and for what is no text.
pub fn of(headers: &HeaderMap) -> Result<Option<String>, OAuthError> {
    let proof = one(headers, &PROOF).map_err(|why| match why {
        Unusable::Repeated => ProofError::SeveralHeaders,
        Unusable::Unreadable => ProofError::Jwt(format!("the header {why}")),
    });
    Ok(proof?.map(str::to_owned))
}

/// Gives the nonce for the next proof.
pub fn tell_nonce(headers: &mut HeaderMap, nonce: &str) {
    if let Ok(value) = HeaderValue::from_str(nonce) {
        headers.insert(NONCE, value);
    }
}

/// Whoever is told to use a nonce is given one.
pub fn add_nonce(app: &App, response: &mut Response) {
    let wanted = matches!(
        response.extensions().get::<Cause>(),
        Some(Cause::Refused(error)) if error.code == ErrorCode::UseDpopNonce
    );
    if wanted {
        tell_nonce(response.headers_mut(), &prove::nonce(app));
    }
}
