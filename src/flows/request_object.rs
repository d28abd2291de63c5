//! Request objects (RFC 9101): what a client signed, and perhaps encrypted to a key of this server.

use rules::jose::jwe;
use rules::protocol::{Client, Params, jar};

use super::{Failure, client_keys};
use crate::app::App;

/// The parameters of a request object, by the client's keys.
///
/// # Errors
/// `invalid_request_object`; a [`Failure`] when keys cannot be had.
pub(super) async fn read(app: &App, client: &Client, object: &str) -> Result<Params, Failure> {
    let Some(registered) = client.own_keys() else {
        let why = "no keys are registered for this client to verify it with";
        return Err(jar::invalid(why).into());
    };
    let opened = open(app, client, object).await?;
    let signed = opened.as_deref().unwrap_or(object);
    let verified =
        client_keys::verify(app, client, registered, (signed, jar::algs(client))).await?;
    let verified = verified.map_err(|error| match opened {
        Some(_) => jar::not_signed_inside(),
        None => jar::invalid(&error.to_string()),
    })?;
    let issuer = app.config.issuer.as_str();
    Ok(jar::read(verified, client, issuer, app.clock.now())?)
}

/// What is inside, when it is encrypted; RSA, which is slow, is opened on the threads that sign.
async fn open(app: &App, client: &Client, object: &str) -> Result<Option<String>, Failure> {
    if !jwe::is_jwe(object) {
        return match client.metadata.request_object_encryption() {
            None => Ok(None),
            Some((alg, enc)) => Err(jar::invalid(&format!(
                "this client must encrypt it, by {alg} with {enc}"
            ))
            .into()),
        };
    }
    let keys = app.keys.now().decrypting(app.clock.now());
    let token = object.to_owned();
    let opened = app.signers.run(move || jwe::decrypt(&token, &keys)).await?;
    let opened = opened.map_err(|error| jar::invalid(&error.to_string()))?;
    Ok(Some(jar::inside(opened, client)?))
}
