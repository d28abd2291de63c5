//! What the institution's own provider is asked, all of it through the guarded way out.

use std::sync::Arc;
use std::time::Duration;

use rules::jose::JwsError;
use rules::protocol::upstream::{self, Expected, Refused, Vouched};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;

use crate::app::App;
use crate::config::{Upstream, UpstreamAuth};
use crate::fault::Fault;
use crate::rng;

/// How long what the provider says of itself is used without looking again.
const FRESH: Duration = Duration::from_mins(10);
/// How long nobody asks again after it did not answer.
const APART: Duration = Duration::from_secs(2);
/// How long it may take to say it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many codes may be on their way to it at once: whoever comes back with one needs no account here.
const CALLS: usize = 32;
/// The most that any answer may hold, in bytes.
const LARGEST: usize = 64 * 1024;
/// How long an assertion is good.
const ASSERTION: Duration = Duration::from_mins(1);

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the provider says of itself, as this node knows it.
pub struct Provider {
    state: tokio::sync::Mutex<State>,
    calls: Semaphore,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            state: tokio::sync::Mutex::default(),
            calls: Semaphore::new(CALLS),
        }
    }
}

#[derive(Default)]
struct State {
    known: Option<(Arc<Metadata>, Timestamp)>,
    failed_at: Option<Timestamp>,
}

/// What is read of it (OpenID Connect Discovery §3, RFC 9207 §3).
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Url,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Why the provider vouches for nobody.
#[derive(Debug)]
pub(super) enum Not {
    /// It cannot be asked; this is for the log.
    Reached(String),
    /// It refused the code.
    Given,
    /// What it gave is not right.
    Right(Refused),
    /// This server failed.
    Failed(Fault),
}

impl Provider {
    /// What it says of itself.
    ///
    /// # Errors
    /// Why it cannot be asked, for the log.
    pub(super) async fn metadata(
        &self,
        app: &App,
        upstream: &Upstream,
    ) -> Result<Arc<Metadata>, String> {
        // One asks, the others wait for what it learns.
        let mut state = self.state.lock().await;
        let now = app.clock.now();
        if let Some((known, at)) = &state.known
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(known));
        }
        if state.failed_at.is_some_and(|at| now.since(at) < APART) {
            return Err("it did not answer a moment ago".to_owned());
        }
        match fetch(app, upstream).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                state.known = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            Err(why) => {
                state.failed_at = Some(app.clock.now());
                Err(why)
            }
        }
    }
}

async fn fetch(app: &App, upstream: &Upstream) -> Result<Metadata, String> {
    let issuer = upstream.issuer.trim_end_matches('/');
    let url = format!("{issuer}/.well-known/openid-configuration");
    let body = app
        .outbound
        .get(&url, "application/json", LARGEST, PATIENCE)
        .await
        .map_err(|unreached| unreached.to_string())?;
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    // OpenID Connect Discovery §4.3
    if metadata.issuer != upstream.issuer {
        return Err(format!("it calls itself {:?}", metadata.issuer));
    }
    let endpoint = &metadata.authorization_endpoint;
    let host = endpoint.host_str().unwrap_or_default();
    let on_loopback = rules::network::is_loopback_host(host);
    if endpoint.scheme() != "https" && !(endpoint.scheme() == "http" && on_loopback) {
        return Err("its authorization_endpoint is not https".to_owned());
    }
    Ok(metadata)
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// What proves to the provider who this server is.
#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

/// A code, and what goes with it.
pub(super) struct Code<'a> {
    pub(super) given: &'a str,
    pub(super) verifier: &'a str,
    pub(super) redirect_uri: &'a str,
}

/// Redeems a code, and verifies the ID token that comes for it.
pub(super) async fn redeem(
    app: &App,
    (upstream, metadata): (&Upstream, &Metadata),
    code: Code<'_>,
    expected: &Expected<'_>,
) -> Result<Vouched, Not> {
    let Ok(_call) = app.provider.calls.try_acquire() else {
        return Err(Not::Reached(format!("{CALLS} calls to it are under way")));
    };
    let assertion;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.given),
        ("redirect_uri", code.redirect_uri),
        ("code_verifier", code.verifier),
    ];
    let methods = &metadata.token_endpoint_auth_methods_supported;
    let takes = |method: &str| methods.iter().any(|one| one == method);
    let written = |text: &str| -> String {
        // RFC 6749 §2.3.1
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
    };
    let mut who = None;
    match &upstream.auth {
        UpstreamAuth::Key(_) => {
            assertion = assert(app, upstream).map_err(Not::Failed)?;
            form.push(("client_id", upstream.client_id.as_str()));
            form.push(("client_assertion_type", ASSERTION_TYPE));
            form.push(("client_assertion", assertion.as_str()));
        }
        UpstreamAuth::Secret(secret)
            if takes("client_secret_post") && !takes("client_secret_basic") =>
        {
            form.push(("client_id", upstream.client_id.as_str()));
            form.push(("client_secret", secret.expose()));
        }
        UpstreamAuth::Secret(secret) => {
            who = Some((written(&upstream.client_id), written(secret.expose())));
        }
    }
    let who = who
        .as_ref()
        .map(|(id, secret)| (id.as_str(), secret.as_str()));
    let answer = app
        .outbound
        .post_form_as(&metadata.token_endpoint, &form, who)
        .await
        .map_err(|unreached| Not::Reached(unreached.to_string()))?;
    match answer.status {
        200 => {}
        // RFC 6749 §5.2: a wrong client is this server's setting, not the person's doing.
        400 => return Err(Not::Given),
        status => return Err(Not::Reached(format!("its token endpoint said {status}"))),
    }
    let body = answer.beginning(LARGEST).await;
    let tokens: Tokens = serde_json::from_slice(&body)
        .map_err(|error| Not::Reached(format!("its token endpoint gave no ID token: {error}")))?;
    vouched(app, metadata, &tokens.id_token, expected).await
}

/// Verifies with the keys that are kept and, when they do not fit, with those of today.
async fn vouched(
    app: &App,
    metadata: &Metadata,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Vouched, Not> {
    let (keys, url) = (&app.client_keys, &metadata.jwks_uri);
    let kept = keys
        .get(&app.outbound, url, expected.now)
        .await
        .map_err(Not::Reached)?;
    let error = match upstream::verify(token, &kept, expected) {
        Err(error @ Refused::Signature(JwsError::NoKey { .. } | JwsError::Signature)) => error,
        other => return other.map_err(Not::Right),
    };
    match keys.newer(&app.outbound, url, &kept, expected.now).await {
        Some(newer) => upstream::verify(token, &newer, expected).map_err(Not::Right),
        None => Err(Not::Right(error)),
    }
}

/// RFC 7523 §3. The issuer as the only audience (RFC 10070).
fn assert(app: &App, upstream: &Upstream) -> Result<String, Fault> {
    let UpstreamAuth::Key(key) = &upstream.auth else {
        return Ok(String::new());
    };
    let now = app.clock.now();
    let assertion = Assertion {
        iss: &upstream.client_id,
        sub: &upstream.client_id,
        aud: &upstream.issuer,
        jti: rng::uuid(now)?.to_string(),
        iat: now.secs(),
        exp: now.plus(ASSERTION).secs(),
    };
    key.sign(None, &assertion)
        .map_err(|error| Fault::Internal(error.to_string()))
}
