//! What must hold before a token is made, and before anything one-time is spent for it.

use std::time::Duration;

use rules::identity::Acr;
use rules::jose::Alg;
use rules::protocol::details::invalid;
use rules::protocol::target::{self, Target, Wanted};
use rules::protocol::{Client, Details, ErrorCode, Format, OAuthError, Scopes, acr};
use rules::time::Timestamp;

use crate::app::App;
use crate::fault::Fault;
use crate::registry::Registered;
use crate::store::Tx;
use crate::store::authorizations::Authorization;

/// Whether an authorization may still give tokens to its client: neither it nor anything behind it
/// was revoked, and the client was not disabled since.
#[must_use]
pub fn is_valid(client: &Client, authorization: &Authorization) -> bool {
    let void = client
        .valid_from
        .is_some_and(|from| authorization.created_at <= from);
    !authorization.revoked && !void
}

/// Makes sure that tokens decided on at `at` would not be void as they are made. What was decided on
/// while scopes were taken back may still have them.
///
/// # Errors
/// [`Fault::Busy`], for a few seconds.
pub fn check_epoch(tx: &Tx, authorization: &Authorization, at: Timestamp) -> Result<(), Fault> {
    let person = authorization.person.as_ref();
    let void = person.and_then(|person| tx.void_until(person.grant_id));
    if void.is_some_and(|until| issued_at(authorization, at) <= until) {
        return Err(Fault::Busy("scopes were taken back a moment ago"));
    }
    Ok(())
}

/// From when on tokens count.
pub(super) fn issued_at(authorization: &Authorization, at: Timestamp) -> Timestamp {
    at.max(authorization.created_at)
}

/// Refuses what the institution requires more for today than the person proved when it was issued.
pub fn check_assurance(
    app: &App,
    client: &Client,
    authorization: &Authorization,
    target: &Target,
) -> Result<(), OAuthError> {
    let Some(person) = &authorization.person else {
        return Ok(());
    };
    let required = acr::required(client, target, app.registry.now().resources());
    let policy = app.config.passkeys.policy;
    let reached = Acr::parse(&person.acr).map(|acr| policy.today(acr, &person.amr));
    if reached.is_some_and(|reached| reached.satisfies(required)) {
        return Ok(());
    }
    let description = format!(
        "the person must prove more than she did: send her to the authorization endpoint with \
         acr_values={}",
        required.as_str()
    );
    Err(OAuthError::invalid_grant(description))
}

/// What a token request asks for of what was granted.
pub struct Less<'a> {
    /// `scope`.
    pub scopes: Option<&'a Scopes>,
    /// `resource`.
    pub resources: &'a [String],
    /// `authorization_details`, unread.
    pub details: Option<&'a str>,
}

/// What of an authorization a token carries: what is asked for (RFC 6749 §6, RFC 8707 §2.2, RFC 9396
/// §6.1) and the client may still use; of the details those that are for the APIs of the token.
///
/// # Errors
/// `invalid_scope`, `invalid_target` or `invalid_authorization_details` for more than was granted, and
/// for a detail that is asked for by itself and that the token could not carry.
pub fn narrowed(
    app: &App,
    client: &Client,
    authorization: &Authorization,
    less: &Less<'_>,
) -> Result<(Target, Details), OAuthError> {
    let asked = authorization.details.narrow(less.details)?;
    let left = asked.left_to(client);
    let wanted = Wanted {
        scopes: less.scopes,
        named: less.resources,
        details: &left,
    };
    let (registered, types) = (app.registry.now(), app.config.details.as_ref());
    let granted = authorization.target.left_to(client);
    let target = target::narrow(&granted, wanted, registered.resources(), types)?;
    let carried = left.good_for(&target.resources, types);
    if less.details.is_some() && carried != asked {
        return Err(invalid(
            "one of them is not for the APIs of this token, or its type was taken from this client; \
             ask with the resource that it is for, or leave it out",
        )
        .about("api"));
    }
    Ok((target, carried))
}

/// Refuses early what [`mint`](super::mint()) could not make, before anything one-time is spent.
///
/// # Errors
/// `invalid_target`.
pub fn check_manner(registered: &Registered, target: &Target) -> Result<(), OAuthError> {
    manner(registered, target).map(drop)
}

/// Makes sure, before anything one-time is spent, that the keys are there which sign the tokens.
///
/// # Errors
/// [`Fault::Signing`] while one is missing.
pub fn check_signers(
    app: &App,
    client: &Client,
    (target, id_token): (&Target, bool),
) -> Result<(), Fault> {
    let format = manner(&app.registry.now(), target).ok().flatten();
    let access = format.filter(|(format, _)| *format == Format::Jwt);
    let id_token = id_token.then_some(client.id_token_signed_response_alg);
    let keys = app.keys.now();
    let mut all = access.map(|_| Alg::Es256).into_iter().chain(id_token);
    all.try_for_each(|alg| keys.signer(alg).map(drop))
}

/// How a token for these resources looks and how long it lives: the shortest of their lifetimes.
pub(super) fn manner(
    registered: &Registered,
    target: &Target,
) -> Result<Option<(Format, Duration)>, OAuthError> {
    let resources: Vec<_> = target
        .resources
        .iter()
        .filter_map(|uri| registered.resource(uri))
        .collect();
    let Some(first) = resources.first() else {
        return Ok(None);
    };
    if resources
        .iter()
        .any(|one| one.token_format != first.token_format)
    {
        return Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            "these resources take different kinds of tokens; ask for one at a time with resource",
        ));
    }
    let seconds = resources.iter().map(|one| one.access_token_lifetime).min();
    let seconds = seconds.unwrap_or(first.access_token_lifetime);
    Ok(Some((
        first.token_format,
        Duration::from_secs(seconds.into()),
    )))
}
