//! Whether the person who is signed in may answer a request, and what must happen if she may not.

use std::time::Duration;

use rules::identity::{Acr, Assurance};
use rules::protocol::target::Target;
use rules::protocol::{AuthorizeRequest, Client, acr};

use super::sessions::SignedIn;
use crate::app::App;
use crate::store::interactions::Interaction;

/// How long the consent page may be read before `max_age` asks for a new sign-in.
const TIME_TO_READ: Duration = Duration::from_mins(5);

/// How a session fits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// She may answer.
    Fits,
    /// She may, once she has said that it is she who wants to (`prompt=select_account`).
    Choose,
    /// Somebody must sign in.
    SignIn,
    /// She may, once she has proved more than she did.
    StepUp,
    /// Somebody signed in for this request, but not the person whom it names.
    AnotherPerson,
}

/// Decides.
pub(super) fn fit(app: &App, client: &Client, interaction: &Interaction, held: &SignedIn) -> Fit {
    let request = &interaction.request;
    let signed_in_for_it = interaction.session_id == Some(held.session.id);
    if request.prompt.login && !signed_in_for_it {
        return Fit::SignIn;
    }
    let (policy, proofs) = (app.config.passkeys.policy, &held.session.proofs);
    let required = required(app, client, request);
    let reached = Assurance::reaching(required, proofs, policy);
    let Some(assurance) = reached.clone().or_else(|| Assurance::of(proofs, policy)) else {
        return Fit::SignIn;
    };
    // OpenID Connect Core §3.1.2.1. Who signed in for this request has time to read the page.
    let grace = if signed_in_for_it {
        TIME_TO_READ
    } else {
        Duration::ZERO
    };
    let age = app.clock.now().since(assurance.auth_time);
    if request.max_age.is_some_and(|max| age > max + grace) {
        return Fit::SignIn;
    }
    // §3.1.2.1, §3.1.2.2 (4): nobody else may answer, signed in or not.
    match (
        request.is_for(&app.subject(client, held.user.id)),
        signed_in_for_it,
    ) {
        (false, true) => Fit::AnotherPerson,
        (false, false) => Fit::SignIn,
        (true, false) if request.prompt.select_account => Fit::Choose,
        (true, _) if reached.is_none() => Fit::StepUp,
        (true, _) => Fit::Fits,
    }
}

/// What must be reached today for all that a request asks for: by its own wish, and by what the
/// institution requires of client, resources and scopes.
pub(super) fn required(app: &App, client: &Client, request: &AuthorizeRequest) -> Acr {
    let target = Target {
        scopes: request.scopes.clone(),
        resources: request.resources.clone(),
    };
    let registered = app.registry.now();
    let required = acr::required(client, &target, registered.resources());
    request
        .required_acr
        .map_or(required, |asked| asked.max(required))
}

/// The user name to fill in at sign-in: what the client says, or who was signed in in this very
/// browser when she may answer. An `id_token_hint` alone fills in nothing: a client that holds one
/// must not learn a user name from our page.
#[must_use]
pub fn name_to_fill_in(
    app: &App,
    client: &Client,
    request: &AuthorizeRequest,
    held: Option<&SignedIn>,
) -> Option<String> {
    if let Some(hint) = &request.login_hint {
        return Some(hint.clone());
    }
    let held = held.filter(|held| request.is_for(&app.subject(client, held.user.id)))?;
    Some(held.user.profile.username.clone())
}
