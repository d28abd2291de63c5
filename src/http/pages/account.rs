//! The account page.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::asking::own_scopes;
use super::sign_in::signed_in;
use super::view::{Account, ConfirmStop, ConnectedApp, SessionRow, WayIn};
use super::{Stop, chrome, not_found, own_form, page, see_other};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::account::{self, GrantInfo, Overview};
use crate::flows::sessions::{self, SignedIn};
use crate::http::oauth::caller;
use crate::registry::Registered;
use crate::words::Words;

/// `GET /`.
pub async fn home() -> Response {
    see_other("/account")
}

/// `GET /account`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let say = caller.say();
    let (asked, _) = request.into_parts();
    let Some(held) = signed_in(&app, &asked.headers).await? else {
        return Ok(see_other("/sign-in"));
    };
    let overview = account::overview(&app, &held).await?;
    let notice = match asked.uri.query() {
        Some("stopped") => Some(say.account_stopped()),
        Some("ended") => Some(say.account_ended()),
        _ => None,
    };
    Ok(render(&app, &caller, (&held, &overview), notice)?)
}

fn render(
    app: &App,
    caller: &Caller,
    (held, overview): (&SignedIn, &Overview),
    notice: Option<String>,
) -> Result<Response, Fault> {
    let say = caller.say();
    let registered = app.registry.now();
    let now = app.clock.now();
    let apps = overview.grants.iter().map(|grant| ConnectedApp {
        grant_id: grant.id.to_string(),
        name: name_of(&registered, grant),
        can: can(say, &registered, grant),
        since: say.date(grant.created_at),
        action: format!("/account/apps/{}/stop", grant.id),
    });
    let sessions = overview.sessions.iter().map(|session| {
        Ok(SessionRow {
            label: say.browser(&session.agent(&held.user.keys)?),
            started: say.date_and_time(session.created_at),
            last_seen: say.ago(session.seen_at, now),
            current: session.id == held.session.id,
            action: format!("/account/sessions/{}/end", session.id),
        })
    });
    let codes = overview.recovery_codes;
    let ways = [
        (say.account_password(), None),
        (say.account_app(), None),
        (say.account_codes(), Some(say.account_codes_left(codes))),
    ];
    let view = Account {
        chrome: &chrome(app, caller),
        name: held.user.profile.display_name().to_owned(),
        notice,
        apps: apps.collect(),
        sessions: sessions.collect::<Result<_, Fault>>()?,
        ways: ways
            .into_iter()
            .map(|(label, detail)| WayIn { label, detail })
            .collect(),
        sign_out_action: "/sign-out".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `GET /account/apps/{grant}/stop`: asks once more.
pub async fn ask_stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let headers = request.headers().clone();
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other("/sign-in"));
    };
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
        app_name: name_of(&registered, grant),
        can: can(say, &registered, grant),
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /account/apps/{grant}/stop`.
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other("/sign-in"));
    };
    if let Ok(grant) = Uuid::parse_str(&id) {
        account::stop_sharing(&app, &held, grant, &caller).await?;
    }
    // Stopped by this request or before: either way it has stopped.
    Ok(see_other("/account?stopped"))
}

/// `POST /account/sessions/{id}/end`.
pub async fn end_session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other("/sign-in"));
    };
    if let Ok(session) = Uuid::parse_str(&id) {
        sessions::end(&app, &held, session, &caller).await?;
    }
    Ok(see_other("/account?ended"))
}

fn name_of(registered: &Registered, grant: &GrantInfo) -> String {
    registered
        .any_client(&grant.client_id)
        .map_or_else(|| grant.client_id.clone(), |client| client.name.clone())
}

fn can(say: Words, registered: &Registered, grant: &GrantInfo) -> Vec<String> {
    let infos = registered.resources().iter().flat_map(|one| &one.scopes);
    let theirs = infos
        .filter(|info| grant.scopes.contains(&info.name))
        .map(|info| info.title_in(say.lang.tag()).to_owned());
    let ours = own_scopes(say)
        .into_iter()
        .filter(|(scope, _)| grant.scopes.contains(scope))
        .map(|(_, title)| title);
    theirs
        .chain(ours)
        .chain(super::claims::titles(&grant.claims, say))
        .collect()
}
