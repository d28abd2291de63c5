//! Whether the person who is signed in may answer a request, and what must happen if she may not.

use std::time::Duration;

use rules::identity::{Acr, Assurance};
use rules::protocol::{AuthorizeRequest, Client};

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
    let required = request.required_acr.unwrap_or(Acr::TwoFactor);
    let Some(assurance) = Assurance::reaching(required, &held.session.proofs) else {
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
        (true, _) => Fit::Fits,
    }
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
