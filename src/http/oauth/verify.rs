//! `/verify`: what a proxy in front of an API asks before it lets a request pass: nginx
//! (`auth_request`), Traefik and Caddy (forward-auth), Envoy (`ext_authz` over HTTP). 2xx lets it
//! pass, with headers that tell the API who asks; 401 and 403 go back to the caller, with the
//! challenge of RFC 6750 §3.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use rules::protocol::{ErrorCode, OAuthError, Params, Scopes, TokenType};

use super::caller;
use super::userinfo::challenged_for;
use crate::app::App;
use crate::flows::prove::Target;
use crate::flows::userinfo::Presented;
use crate::flows::verify::{Asked, Verified, verify};
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

/// Put into a request that comes from one of `hook.peers`; the layer around every request does.
#[derive(Clone, Copy, Debug)]
pub struct FromHook;

/// What the proxy wants to know: in the query, or in headers where it cannot set one.
struct Wanted {
    resource: String,
    scopes: Scopes,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, OAuthError> {
        let query = request.uri().query().unwrap_or_default();
        // Envoy appends the query of the request that it holds back.
        let params = Params::parse(query.as_bytes()).unwrap_or_default();
        let value = |name: &str, header: &HeaderName| {
            let header = request.headers().get(header);
            let header = header
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            header.or_else(|| params.get(name).map(str::to_owned))
        };
        let Some(resource) = value("resource", &RESOURCE) else {
            return Err(OAuthError::invalid_request(
                "the proxy does not say for which API it asks; set the header X-Countersign-Resource \
                 or the parameter resource",
            ));
        };
        let scopes = value("scope", &SCOPE).map(|text| Scopes::parse(&text));
        Ok(Self {
            resource,
            scopes: scopes.transpose()?.unwrap_or_default(),
        })
    }
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
            let mut all = headers.get_all(name).iter();
            let first = all.next()?.to_str().ok().filter(|text| !text.is_empty())?;
            all.next().is_none().then(|| first.to_owned())
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
    for (name, value) in [
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
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else {
        return Ok(None);
    };
    // RFC 6750 §3.1 would have invalid_request and 400, of which nginx makes a failure of its own.
    let malformed = || {
        let text = "the Authorization header must be Bearer or DPoP, and the access token";
        OAuthError::new(ErrorCode::InvalidToken, text)
    };
    if all.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    let scheme = TokenType::from_scheme(scheme).ok_or_else(malformed)?;
    if token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Some((scheme, token.trim().to_owned())))
}
