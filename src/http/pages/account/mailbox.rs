//! The link that confirms her e-mail address.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{address, at_account, filled};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::confirm_address::{self, Asked, PAGE};
use crate::http::oauth::caller;
use crate::http::pages::view::ConfirmAddress;
use crate::http::pages::{Notice, Stop, chrome, own_form, page, see_other};

/// `POST /account/address`: sends the link.
pub async fn ask(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, PAGE).await?;
    Ok(see_other(
        match confirm_address::ask(&app, &held, &caller).await? {
            Asked::Sent => "/account?sent",
            Asked::Lately => "/account?lately",
            Asked::Nothing => "/account",
        },
    ))
}

/// `GET /account/address?link=…`: asks whether to confirm. Nothing is spent, for programs that read
/// mail follow links.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let Some(link) = filled(&request, "link") else {
        return Ok(see_other("/account"));
    };
    let Some(found) = confirm_address::look(&app, &held, &link).await? else {
        return Ok(over(&app, &caller));
    };
    let view = ConfirmAddress {
        chrome: &chrome(&app, &caller),
        address: found,
        link,
        action: format!("{PAGE}/confirm"),
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /account/address/confirm`.
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, PAGE).await?;
    let link = params.get("link").unwrap_or_default();
    if confirm_address::confirm(&app, &held, link, &caller).await? {
        return Ok(see_other("/account?address"));
    }
    Ok(over(&app, &caller))
}

fn over(app: &App, caller: &Caller) -> Response {
    let say = caller.say();
    Notice {
        status: StatusCode::GONE,
        heading: say.address_over(),
        what: say.address_over_what(),
        todo: None,
        link: Some(("/account".to_owned(), say.account_title())),
    }
    .show(app, caller, None)
}
