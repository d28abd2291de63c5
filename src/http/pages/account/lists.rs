//! All connected apps and all signed-in browsers, page by page.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::rows::{app_rows, client_name, granted, part, session_row};
use super::{address, at_account, forget_session};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::{account, sessions};
use crate::http::oauth::caller;
use crate::http::pages::sign_out::signed_out;
use crate::http::pages::view::{Apps, ConfirmStop, Sessions};
use crate::http::pages::{Stop, chrome, not_found, own_form, page, see_other};

/// `GET /account/apps`.
pub async fn apps(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let overview = account::overview(&app, &held).await?;
    let (shown, pages) = part(&overview.grants, request.uri());
    let view = Apps {
        chrome: &chrome(&app, &caller),
        apps: app_rows(&app, caller.say(), shown).await?,
        pages,
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `GET /account/sessions`.
pub async fn sessions(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let overview = account::overview(&app, &held).await?;
    let (shown, pages) = part(&overview.sessions, request.uri());
    let now = app.clock.now();
    let rows = shown
        .iter()
        .map(|session| session_row(caller.say(), &held, session, now));
    let view = Sessions {
        chrome: &chrome(&app, &caller),
        sessions: rows.collect::<Result<_, Fault>>()?,
        pages,
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `GET /account/apps/{grant}/stop`: asks once more.
pub async fn ask_stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let overview = account::overview(&app, &held).await?;
    let mut standing = overview.grants.iter();
    let Some(grant) = standing.find(|grant| grant.id.to_string() == id) else {
        return Ok(not_found(State(app), request).await);
    };
    let registered = app.registry.now();
    let caller = caller(&request);
    let say = caller.say();
    let view = ConfirmStop {
        chrome: &chrome(&app, &caller),
        action: format!("/account/apps/{}/stop", grant.id),
        app_name: client_name(&registered, &grant.client_id),
        can: granted(say, &registered, grant),
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /account/apps/{grant}/stop`: the app can see nothing more.
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, "/account/apps").await?;
    if let Ok(grant) = Uuid::parse_str(&id) {
        account::stop_sharing(&app, &held, grant, &caller).await?;
    }
    // Stopped by this request or before: either way it has stopped.
    Ok(see_other("/account?stopped"))
}

/// `POST /account/sessions/{id}/end`: that browser is signed out.
pub async fn end_session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, "/account/sessions").await?;
    if let Ok(session) = Uuid::parse_str(&id) {
        sessions::end(&app, &held, session, &caller).await?;
    }
    Ok(see_other("/account?ended"))
}

/// `POST /account/sessions/end`: every browser is signed out, this one too.
pub async fn end_everywhere(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, "/account/sessions").await?;
    if !sessions::end_everywhere(&app, &held, &caller).await? {
        return Ok(see_other("/sign-in"));
    }
    Ok(forget_session(&app, &headers, signed_out(&app, &caller)))
}
