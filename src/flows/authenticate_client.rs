//! Client authentication (RFC 6749 §2.3, RFC 7523).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::Kind;
use rules::jose::{Alg, JwkSet};
use rules::protocol::client_assertion::{self, AssertionId, Audiences, Expectation};
use rules::protocol::credentials::Credentials;
use rules::protocol::{Client, ClientAuth, OAuthError, Profile};
use subtle::{Choice, ConstantTimeEq};

use super::{Caller, Failure, client_keys, follow, limit};
use crate::app::App;
use crate::certificate::ClientCertificate;
use crate::config::Limit;
use crate::defence::limits::Whose;
use crate::secret::{Purpose, TokenHash};
use crate::store;

/// What an assertion may be signed with (FAPI 2.0 SP §5.4).
const ASSERTION_ALGS: [Alg; 3] = [Alg::Es256, Alg::Ps256, Alg::EdDsa];

/// A client whose credentials are right. An assertion among them is not spent yet.
pub struct Recognised {
    /// Who it is.
    pub client: Arc<Client>,
    assertion: Option<AssertionId>,
}

/// Verifies who the client is. An unknown, a disabled and a client with a wrong secret get the same
/// answer; a client that uses the wrong method, or whose assertion is wrong, is told why, because
/// client ids are no secrets (RFC 6749 §2.2).
///
/// Failures are limited for each client and address together, so that nobody elsewhere can lock a
/// client out, and for each address over all clients: there the right credentials still work.
///
/// # Errors
/// `invalid_client`; [`Failure::Limited`] after too many of these.
pub async fn recognise(
    app: &App,
    credentials: Credentials,
    caller: &Caller,
) -> Result<Recognised, Failure> {
    follow::fresh(app).await?;
    let Some(client) = app.registry.client(credentials.id()) else {
        let all = Whose::Address(caller.address);
        limit::take(app, Limit::FailuresPerAddress, all)?;
        app.refusals
            .count(Kind::ClientAuthenticationRefused, None, "unknown_client");
        return Err(refused().into());
    };
    let one = Whose::ClientAt(&client.id, caller.address);
    limit::look(app, Limit::ClientFailuresPerAddress, one)?;
    let verified = verify(app, &client, &credentials, caller).await;
    let assertion = limited(app, (&client, caller), verified)?;
    Ok(Recognised { client, assertion })
}

impl Recognised {
    /// Spends its assertion, when it brought one (RFC 7523 §3, `jti`).
    ///
    /// # Errors
    /// `invalid_client` for one that was used before; [`Failure::Limited`] after too many of these.
    pub async fn spend(self, app: &App, caller: &Caller) -> Result<(), Failure> {
        let Some(id) = self.assertion else {
            return Ok(());
        };
        // The row outlives the assertion by the leeway given to clocks.
        let until = id.exp.plus(std::time::Duration::from_mins(1));
        let spent = store::consume_assertion(&self.client.id, &id.jti, until);
        if app.store.write_alone(spent).await? == 1 {
            return Ok(());
        }
        app.refusals
            .count(Kind::AssertionReplayed, Some(&self.client.id), "replayed");
        let why = "this jti was used before; make a new assertion for every request";
        let error = refuse(
            app,
            &self.client,
            "bad_assertion",
            invalid(why, "assertion-replay"),
        );
        limited(app, (&self.client, caller), Err(error))
    }
}

/// Counts a refusal against the limits of its client and address.
fn limited<T>(
    app: &App,
    (client, caller): (&Client, &Caller),
    verdict: Result<T, Failure>,
) -> Result<T, Failure> {
    if let Err(Failure::Refused(_)) = verdict {
        let one = Whose::ClientAt(&client.id, caller.address);
        // Whoever comes to the end of this is told what was wrong, and the next time to wait.
        let _ = limit::take(app, Limit::ClientFailuresPerAddress, one);
        let all = Whose::Address(caller.address);
        limit::take(app, Limit::FailuresPerAddress, all)?;
    }
    verdict
}

async fn verify(
    app: &App,
    client: &Client,
    credentials: &Credentials,
    caller: &Caller,
) -> Result<Option<AssertionId>, Failure> {
    let verdict = match (&client.auth, credentials) {
        (ClientAuth::Secret { hashes }, Credentials::Secret { secret, .. }) => {
            secret_fits(hashes, secret)
                .then_some(())
                .ok_or_else(|| ("wrong_secret", refused()))
        }
        (ClientAuth::PrivateKeyJwt { jwks }, Credentials::Assertion { jwt, .. }) => {
            let verified = Box::pin(assertion(app, client, jwks, jwt)).await;
            return verified
                .map(Some)
                .map_err(|error| refuse(app, client, "bad_assertion", error));
        }
        (ClientAuth::None, Credentials::Name { .. }) => Ok(()),
        (auth, Credentials::Name { .. }) if client.presents_certificate() => {
            certificate(app, client, auth, caller.certificate.as_deref()).await
        }
        (_, Credentials::Name { .. }) => Err(("nothing_presented", refused())),
        _ => Err((
            "wrong_method",
            OAuthError::invalid_client(
                "client authentication failed: use the method this client is registered for",
            )
            .about("method"),
        )),
    };
    verdict
        .map(|()| None)
        .map_err(|(reason, error)| refuse(app, client, reason, error))
}

fn refuse(app: &App, client: &Client, reason: &'static str, error: OAuthError) -> Failure {
    let kind = Kind::ClientAuthenticationRefused;
    app.refusals.count(kind, Some(&client.id), reason);
    Failure::Refused(error)
}

fn refused() -> OAuthError {
    OAuthError::invalid_client(
        "client authentication failed: unknown client, no credentials, or wrong ones",
    )
    .about("secret")
}

/// Compares with every live secret, in constant time.
fn secret_fits(hashes: &[String], presented: &str) -> bool {
    let presented =
        URL_SAFE_NO_PAD.encode(TokenHash::of(Purpose::ClientSecret, presented).as_bytes());
    let none = Choice::from(0);
    hashes
        .iter()
        .fold(none, |fits, hash| {
            fits | hash.as_bytes().ct_eq(presented.as_bytes())
        })
        .into()
}

/// By the certificate of the connection, whose key the handshake proved (RFC 8705 §2).
async fn certificate(
    app: &App,
    client: &Client,
    auth: &ClientAuth,
    presented: Option<&ClientCertificate>,
) -> Result<(), (&'static str, OAuthError)> {
    let refuse = |reason, text: &str| {
        let text = format!("client authentication failed: {text}");
        (
            reason,
            OAuthError::invalid_client(text).about("certificate"),
        )
    };
    let Some(presented) = presented else {
        let text = "connect with the client certificate, at the addresses in mtls_endpoint_aliases";
        return Err(refuse("no_certificate", text));
    };
    let now = app.clock.now();
    match auth {
        ClientAuth::TlsClientAuth { subject, .. } => {
            if !presented.is_for(subject) {
                let text = "the certificate is not for the subject that is registered";
                return Err(refuse("wrong_certificate", text));
            }
            let trusted = app.trust.check(presented, now).await;
            trusted.map_err(|untrusted| {
                let text = "the certificate is expired, revoked, or certified by no authority that \
                            is trusted here";
                let (reason, error) = refuse("untrusted_certificate", text);
                (reason, error.detail(untrusted.0))
            })
        }
        ClientAuth::SelfSignedTlsClientAuth { jwks } => {
            if !presented.is_current(now) {
                return Err(refuse(
                    "expired_certificate",
                    "the certificate is expired, or not yet good",
                ));
            }
            let wrong = |error| ("no_keys", error);
            let keys = client_keys::of(app, client, jwks).await.map_err(wrong)?;
            let mut holds = presented.has_key_of(&keys);
            if !holds && let Some(newer) = client_keys::newer(app, client, &keys).await {
                holds = presented.has_key_of(&newer);
            }
            if holds {
                return Ok(());
            }
            Err(refuse(
                "wrong_certificate",
                "the certificate's key is not registered",
            ))
        }
        _ => Err(refuse(
            "wrong_method",
            "a certificate is not how this client authenticates",
        )),
    }
}

/// Where clients authenticate, as they know the addresses (RFC 8705 §5).
fn endpoints(app: &App) -> Vec<String> {
    let issuer = &app.config.issuer;
    let mtls = app.config.mtls.as_ref().map(|mtls| &mtls.url);
    let addresses = |path| [Some(issuer.at(path)), mtls.map(|mtls| mtls.at(path))];
    let paths = ["/token", "/par", "/introspect", "/revoke"];
    paths.into_iter().flat_map(addresses).flatten().collect()
}

fn invalid(why: &str, topic: &'static str) -> OAuthError {
    OAuthError::invalid_client(format!("client_assertion: {why}")).about(topic)
}

/// Verifies an assertion; whether it was used before is another question.
async fn assertion(
    app: &App,
    client: &Client,
    jwks: &JwkSet,
    jwt: &str,
) -> Result<AssertionId, OAuthError> {
    let verified = client_keys::verify(app, client, jwks, (jwt, &ASSERTION_ALGS))
        .await?
        .map_err(|error| invalid(&error.to_string(), "assertion"))?;
    let endpoints = match client.profile {
        Profile::Compat => endpoints(app),
        Profile::Fapi2 | Profile::Oauth21 => Vec::new(),
    };
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let expectation = Expectation {
        client_id: &client.id,
        issuer: app.config.issuer.as_str(),
        accepted_audiences: match client.profile {
            // FAPI 2.0 Security Profile §5.3.2.1, RFC 10070
            Profile::Fapi2 => Audiences::IssuerString,
            Profile::Oauth21 => Audiences::IssuerAlone,
            // OpenID Connect Core §9: what these clients were written for.
            Profile::Compat => Audiences::IssuerOr(&endpoints),
        },
        now: app.clock.now(),
    };
    client_assertion::check_typ(verified.header.typ.as_deref())
        .and_then(|()| match app.store.revocations().epoch() {
            Some(epoch) => client_assertion::check_epoch(&verified.payload, epoch),
            None => Ok(()),
        })
        .and_then(|()| client_assertion::check(&verified.payload, &expectation))
        .map_err(|error| invalid(&error.to_string(), error.topic()))
}
