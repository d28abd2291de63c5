//! `prompt=select_account`: whoever is signed in goes on, or somebody else does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use rules::protocol::{AuthorizeRequest, Client};

use super::interaction::Held;
use super::sign_in::signed_in;
use super::view::ChooseAccount;
use super::{Stop, chrome, gone, page, see_other};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::authorize;
use crate::flows::sessions::SignedIn;

/// The page.
pub(super) fn ask(
    app: &App,
    caller: &Caller,
    id: &str,
    (client, request): (&Client, &AuthorizeRequest),
    signed_in: &SignedIn,
) -> Response {
    let view = ChooseAccount {
        chrome: &chrome(app, caller),
        client_name: client.name.clone(),
        signed_in_as: signed_in.user.profile.display_name().to_owned(),
        username: signed_in.user.profile.username.clone(),
        session: signed_in.session.id.to_string(),
        go_on_action: format!("/interaction/{id}/go-on"),
        switch_action: format!("/interaction/{id}/switch"),
        cancel_action: format!("/interaction/{id}/cancel"),
    };
    page(StatusCode::OK, &view, Some(&request.return_to.redirect_uri))
}

/// `POST /interaction/{id}/go-on`: she is the one whom the page named.
pub async fn go_on(State(app): State<Arc<App>>, form: Held) -> Result<Response, Stop> {
    let signed_in = signed_in(&app, &form.headers).await?;
    let session = form.params.get("session").unwrap_or_default();
    let held = (form.id.as_str(), form.token.as_str());
    if !authorize::go_on(&app, held, signed_in.as_ref(), session).await? {
        return Ok(gone(&app, &form.caller));
    }
    Ok(see_other(&format!("/interaction/{}", form.id)))
}
