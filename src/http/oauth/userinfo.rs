//! `GET` and `POST /userinfo` (OpenID Connect Core §5.3, RFC 6750, RFC 9449 §7).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use rules::protocol::{ErrorCode, OAuthError, Thumbprint, TokenType};

use super::caller;
use crate::app::App;
use crate::flows::prove::Target;
use crate::flows::userinfo::{BOUND_TO_CERTIFICATE, Presented, Told, userinfo};
use crate::http::one::one;
use crate::http::reply::{ApiError, json};
use crate::http::{form, proof};

/// What is said to whoever sends no token (RFC 6750 §3, RFC 9449 §7.1).
const SCHEMES: &str = "Bearer realm=\"countersign\", DPoP algs=\"ES256 PS256 EdDSA Ed25519\"";

/// With the token in the header.
pub async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let certificate = caller(&request).thumbprint();
    let headers = request.headers();
    let token = own_header(headers).map_err(refused)?;
    // GET or HEAD: a proof names the method that was sent (RFC 9449 §4.3 (8)).
    let method = request.method().as_str();
    answer(&app, headers, (method, certificate), token).await
}

/// With the token in the header or in the form (RFC 6750 §2.2), not in both.
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let certificate = caller(&request).thumbprint();
    let has_form = request.headers().contains_key(header::CONTENT_TYPE);
    if !has_form {
        let headers = request.headers();
        let token = own_header(headers).map_err(refused)?;
        return answer(&app, headers, ("POST", certificate), token).await;
    }
    let read = form::read(request).await;
    let (headers, params) = read.map_err(refused)?;
    let in_form = params.get("access_token").map(str::to_owned);
    let token = match (headers.contains_key(header::AUTHORIZATION), in_form) {
        (true, Some(_)) => {
            let error = OAuthError::invalid_request("the access token is sent twice; send it once");
            return Err(refused(error));
        }
        (false, Some(token)) => Some((TokenType::Bearer, token)),
        _ => own_header(&headers).map_err(refused)?,
    };
    answer(&app, &headers, ("POST", certificate), token).await
}

fn own_header(headers: &HeaderMap) -> Result<Option<(TokenType, String)>, OAuthError> {
    in_header(headers, || {
        OAuthError::invalid_request(
            "the Authorization header must be Bearer or DPoP, and the access token; send it once",
        )
    })
}

/// Before it is known how the token came.
fn refused(error: impl Into<ApiError>) -> ApiError {
    challenged(error.into(), TokenType::Bearer)
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    (method, certificate): (&str, Option<Thumbprint>),
    token: Option<(TokenType, String)>,
) -> Result<Response, ApiError> {
    let Some((scheme, token)) = token else {
        // RFC 6750 §3.1: without credentials, no error code in the challenge.
        let error = OAuthError::new(ErrorCode::InvalidToken, "the access token is missing");
        return Err(ApiError::from(error).challenge(SCHEMES));
    };
    let jwt = match scheme {
        TokenType::Bearer => None,
        TokenType::Dpop => proof::of(headers).map_err(|error| challenged(error.into(), scheme))?,
    };
    let presented = Presented {
        token: &token,
        scheme,
        proof: jwt.as_deref(),
        sent: Some((method, Target::Own("/userinfo"))),
        certificate,
    };
    let (told, next_nonce) = userinfo(app, presented)
        .await
        .map_err(|failure| challenged(failure.into(), scheme))?;
    let mut response = match told {
        Told::Json(told) => json(&told),
        Told::Jwt(jwt) => signed(jwt.expose()),
    };
    if let Some(nonce) = next_nonce {
        proof::tell_nonce(response.headers_mut(), &nonce);
    }
    Ok(response)
}

fn challenged(error: ApiError, scheme: TokenType) -> ApiError {
    let scope = match error.error().code {
        ErrorCode::InsufficientScope => "openid",
        _ => "",
    };
    challenged_for(error, scheme, scope)
}

/// A refusal says what is wrong with the credentials (RFC 6750 §3, RFC 9449 §7.1); a failure is not
/// about them.
pub(super) fn challenged_for(error: ApiError, scheme: TokenType, scope: &str) -> ApiError {
    let OAuthError {
        code,
        description,
        topic,
        detail,
        ..
    } = error.error();
    if *code == ErrorCode::TemporarilyUnavailable {
        return error;
    }
    let scope = match scope {
        "" => String::new(),
        scope => format!(", scope=\"{scope}\""),
    };
    // A bound token that came as Bearer is to come with a proof, unless it is a certificate's.
    let to_key = *topic == Some("bound") && detail.as_deref() != Some(BOUND_TO_CERTIFICATE);
    let start = if scheme == TokenType::Dpop || to_key {
        "DPoP realm=\"countersign\", algs=\"ES256 PS256 EdDSA Ed25519\""
    } else {
        "Bearer realm=\"countersign\""
    };
    let is_proof = matches!(code, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce);
    let code = code.as_str();
    let challenge =
        format!("{start}, error=\"{code}\", error_description=\"{description}\"{scope}");
    let error = error.challenge(&challenge);
    if is_proof {
        error.status(StatusCode::UNAUTHORIZED)
    } else {
        error
    }
}

/// OpenID Connect Core §5.3.2
fn signed(jwt: &str) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/jwt"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, jwt.to_owned()).into_response()
}

/// The scheme and the token; `malformed` when the header is no such pair, or comes more than once.
pub(super) fn in_header(
    headers: &HeaderMap,
    malformed: impl Fn() -> OAuthError,
) -> Result<Option<(TokenType, String)>, OAuthError> {
    let value = one(headers, &header::AUTHORIZATION).map_err(|_| malformed())?;
    let Some(text) = value else {
        return Ok(None);
    };
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    // RFC 6750 §3.1: credentials of another kind are none.
    let Some(scheme) = TokenType::from_scheme(scheme) else {
        return Ok(None);
    };
    if token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Some((scheme, token.trim().to_owned())))
}
