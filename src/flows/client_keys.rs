//! The public keys of a client: those registered, or those at its `jwks_uri` (RFC 7591 §2).

use std::sync::Arc;

use rules::jose::{self, Alg, JwkSet, JwsError, Verified};
use rules::protocol::{Client, OAuthError};

use crate::app::App;

/// A client's keys; `registered` are those of its way to authenticate.
///
/// # Errors
/// `invalid_client`, when they are elsewhere and cannot be fetched. What went wrong stands in the
/// detail alone: whoever asks may be a stranger.
pub async fn of(
    app: &App,
    client: &Client,
    registered: &JwkSet,
) -> Result<Arc<JwkSet>, OAuthError> {
    let Some(url) = &client.metadata.jwks_uri else {
        return Ok(Arc::new(registered.clone()));
    };
    let found = app
        .client_keys
        .get(&app.outbound, url, app.clock.now())
        .await;
    found.map_err(|why| {
        OAuthError::invalid_client(
            "the public keys at this client's jwks_uri cannot be read; it must answer with a JWK set \
             of at most 64 KiB within 3 seconds, over https and without redirects",
        )
        .about("jwks-uri")
        .detail(why)
    })
}

/// Other keys than those that were `seen`, when the client has new ones at its `jwks_uri`.
pub async fn newer(app: &App, client: &Client, seen: &Arc<JwkSet>) -> Option<Arc<JwkSet>> {
    let url = client.metadata.jwks_uri.as_ref()?;
    let now = app.clock.now();
    app.client_keys.newer(&app.outbound, url, seen, now).await
}

/// Verifies what a client signed with one of these algorithms; with keys that were fetched, once more
/// when they may have changed.
///
/// # Errors
/// As [`of`].
pub async fn verify(
    app: &App,
    client: &Client,
    registered: &JwkSet,
    (jwt, algs): (&str, &[Alg]),
) -> Result<Result<Verified, JwsError>, OAuthError> {
    let keys = of(app, client, registered).await?;
    let error = match jose::verify(jwt, algs, &keys) {
        Err(error @ (JwsError::NoKey { .. } | JwsError::Signature)) => error,
        other => return Ok(other),
    };
    Ok(match newer(app, client, &keys).await {
        Some(newer) => jose::verify(jwt, algs, &newer),
        None => Err(error),
    })
}
