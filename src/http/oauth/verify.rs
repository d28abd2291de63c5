//! `/verify`: what a proxy in front of an API asks before it lets a request pass: nginx
//! (`auth_request`), Traefik and Caddy (forward-auth), Envoy (`ext_authz` over HTTP). 2xx lets it
//! pass, with headers that tell the API who asks; 401 and 403 go back to the caller, with the
//! challenge of RFC 6750 §3.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::protocol::{ErrorCode, OAuthError, Scopes, TokenType};
use url::form_urlencoded;

use super::caller;
use super::userinfo::{challenged_for, in_header};
use crate::app::App;
use crate::flows::prove::Target;
use crate::flows::userinfo::Presented;
use crate::flows::verify::{Asked, Verified, verify};
use crate::http::one::one;
use crate::http::proof;
use crate::http::reply::ApiError;

const RESOURCE: HeaderName = HeaderName::from_static("x-countersign-resource");
const SCOPE: HeaderName = HeaderName::from_static("x-countersign-scope");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const SUBJECT: HeaderName = HeaderName::from_static("x-countersign-subject");
const CLIENT: HeaderName = HeaderName::from_static("x-countersign-client");
const ACR: HeaderName = HeaderName::from_static("x-countersign-acr");
const DETAILS: HeaderName = HeaderName::from_static("x-countersign-authorization-details");

/// Put into a request that comes from one of `hook.peers`; the layer around every request does.
#[derive(Clone, Copy, Debug)]
pub struct FromHook;

/// What the proxy wants to know: in headers, or in the query where it cannot set one.
struct Wanted {
    resource: String,
    scopes: Scopes,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, OAuthError> {
        let Some(resource) = said(request, &RESOURCE, "countersign_resource")? else {
            return Err(OAuthError::invalid_request(
                "the proxy does not say for which API it asks; set the header X-Countersign-Resource",
            ));
        };
        let scopes = said(request, &SCOPE, "countersign_scope")?.map(|text| Scopes::parse(&text));
        Ok(Self {
            resource,
            scopes: scopes.transpose()?.unwrap_or_default(),
        })
    }
}

/// What the proxy says in a header, or in a parameter of a query of its own. Of two that differ one
/// is the caller's, and nobody knows which.
fn said(
    request: &Request,
    header: &HeaderName,
    parameter: &str,
) -> Result<Option<String>, OAuthError> {
    let in_header = one(request.headers(), header).map_err(|why| {
        OAuthError::invalid_request(format!("{header} {why}; the proxy must set it"))
    })?;
    let query = request.uri().query().unwrap_or_default();
    let mut in_query = form_urlencoded::parse(query.as_bytes())
        .filter_map(|(name, value)| (name == parameter).then_some(value));
    let Some(parameter_value) = in_query.next() else {
        return Ok(in_header.map(str::to_owned));
    };
    // Below it, the query is that of the request which the proxy holds back.
    let is_own = request.uri().path() == "/verify";
    let is_alone = in_query.next().is_none();
    if is_own && is_alone && in_header.is_none_or(|value| value == parameter_value) {
        return Ok(Some(parameter_value.into_owned()));
    }
    Err(OAuthError::invalid_request(format!(
        "{parameter} cannot be told from what a caller wrote; set the header {header} alone"
    )))
}

/// Answers a proxy. Nobody else learns that there is anything here.
pub async fn ask(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    if request.extensions().get::<FromHook>().is_none() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let wanted = Wanted::of(&request)?;
    let scope = wanted.scopes.to_string();
    let (scheme, token) = match presented(request.headers()) {
        Ok(Some(token)) => token,
        Ok(None) => {
            // RFC 6750 §3.1: without credentials, no error code in the challenge.
            let error = OAuthError::new(ErrorCode::InvalidToken, "the access token is missing");
            return Err(ApiError::from(error).challenge(&bare(&scope)));
        }
        Err(error) => return Err(challenged(error.into(), TokenType::Bearer, &scope)),
    };
    let refused = |error: OAuthError| challenged(error.into(), scheme, &scope);
    let proof = match scheme {
        TokenType::Bearer => None,
        TokenType::Dpop => proof::of(request.headers()).map_err(refused)?,
    };
    let original = Original::of(request.headers());
    let asked = Asked {
        resource: &wanted.resource,
        scopes: wanted.scopes,
        presented: Presented {
            token: &token,
            scheme,
            proof: proof.as_deref(),
            sent: original.as_ref().map(Original::sent),
            certificate: caller(&request).thumbprint(),
        },
    };
    match verify(&app, asked).await {
        Ok(verified) => Ok(pass(&verified)),
        Err(failure) => Err(challenged(failure.into(), scheme, &scope)),
    }
}

/// The request that the proxy holds back: what a proof of it must name (RFC 9449 §4.3). The proxy
/// says it in its own words, replacing what the caller wrote there.
struct Original {
    method: String,
    url: String,
}

impl Original {
    /// By the headers of nginx's guide, or those of Traefik and Caddy. With headers of both kinds the
    /// caller wrote one of them, so neither is believed; the same for one that comes twice.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let one = |name: &HeaderName| {
            let text = one(headers, name).ok()?.filter(|text| !text.is_empty())?;
            Some(text.to_owned())
        };
        let any = |names: &[HeaderName]| names.iter().any(|name| headers.contains_key(name));
        let named = any(&[ORIGINAL_METHOD, ORIGINAL_URL]);
        // The other two of this kind are set by many a proxy before.
        let forwarded = any(&[FORWARDED_METHOD, FORWARDED_URI]);
        match (named, forwarded) {
            (true, false) => Some(Self {
                method: one(&ORIGINAL_METHOD)?,
                url: one(&ORIGINAL_URL)?,
            }),
            (false, true) => {
                let path = one(&FORWARDED_URI).filter(|path| path.starts_with('/'))?;
                let (proto, host) = (one(&FORWARDED_PROTO)?, one(&FORWARDED_HOST)?);
                let is_authority = host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b));
                (is_authority && matches!(proto.as_str(), "https" | "http")).then_some(())?;
                Some(Self {
                    method: one(&FORWARDED_METHOD)?,
                    url: format!("{proto}://{host}{path}"),
                })
            }
            _ => None,
        }
    }

    fn sent(&self) -> (&str, Target<'_>) {
        (&self.method, Target::Elsewhere(&self.url))
    }
}

/// Who asks, for the API behind the proxy.
fn pass(verified: &Verified) -> Response {
    let record = &verified.record;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let scopes = record.scopes.to_string();
    let details = if record.details.is_empty() {
        String::new()
    } else {
        URL_SAFE_NO_PAD.encode(record.details.to_value().to_string())
    };
    for (name, value) in [
        (DETAILS, details.as_str()),
        (SUBJECT, record.subject.as_str()),
        (CLIENT, record.client_id.as_str()),
        (SCOPE, scopes.as_str()),
        (ACR, record.acr.as_deref().unwrap_or_default()),
    ] {
        // Set even when it is empty, so that a proxy never passes on what a caller wrote there.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if let Some(nonce) = &verified.next_nonce {
        proof::tell_nonce(headers, nonce);
    }
    response
}

/// A refusal says what is wrong with the credentials (RFC 6750 §3, RFC 9449 §7.1); a failure is not
/// about them, and a proxy that is set up wrongly is not the caller's affair.
fn challenged(error: ApiError, scheme: TokenType, scope: &str) -> ApiError {
    match error.error().code {
        ErrorCode::InvalidToken
        | ErrorCode::InsufficientScope
        | ErrorCode::InvalidDpopProof
        | ErrorCode::UseDpopNonce => challenged_for(error, scheme, scope),
        _ => error,
    }
}

fn bare(scope: &str) -> String {
    let realm = "Bearer realm=\"countersign\"";
    if scope.is_empty() {
        return realm.to_owned();
    }
    format!("{realm}, scope=\"{scope}\"")
}

/// The access token of the request that the proxy holds back, and under which scheme it came.
fn presented(headers: &HeaderMap) -> Result<Option<(TokenType, String)>, OAuthError> {
    in_header(headers, || {
        // RFC 6750 §3.1 would have invalid_request and 400, of which nginx makes a failure of its own.
        let text = "the Authorization header must be Bearer or DPoP, and the access token";
        OAuthError::new(ErrorCode::InvalidToken, text)
    })
}
