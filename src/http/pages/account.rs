//! The account page, and what belongs to it.

pub mod activity;
pub mod app;
pub mod care;
pub mod dispute;
pub mod lists;
pub mod mailbox;
pub mod passkeys;
pub mod password;
mod proved;
pub mod recovery_codes;
mod rows;
pub mod upstream;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::http::uri::PathAndQuery;
use axum::response::Response;
use rules::protocol::Params;

use super::proof::{Fields, evidence};
use super::sign_in::is_destination;
use super::view::{Account, WayIn};
use super::{Stop, chrome, page, see_other, set_cookie};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::account::{self, Overview};
use crate::flows::reproof::{self, Reproof};
use crate::flows::sessions::{self, SignedIn};
use crate::flows::sign_in::Evidence;
use crate::flows::{Caller, activity as flow, confirm_address, passkeys as keys};
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::words::Words;

/// Where a sign-in leads by itself.
const HOME: &str = "/account";

/// How many rows of each kind the account page shows.
const SHOWN: usize = 4;

/// `GET /`.
pub async fn home() -> Response {
    see_other(HOME)
}

/// `GET /account`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), HOME).await?;
    let overview = account::overview(&app, &held).await?;
    let say = caller.say();
    let notice = match request.uri().query() {
        Some("stopped") => Some(say.account_stopped()),
        Some("ended") => Some(say.account_ended()),
        Some("password") => Some(say.change_password_done()),
        Some("codes") => Some(say.new_codes_done()),
        Some("passkey") => Some(say.passkey_added()),
        Some("renamed") => Some(say.passkey_renamed()),
        Some("removed") => Some(say.passkey_removed()),
        Some("app") => Some(say.app_new_done()),
        Some("linked") => Some(say.upstream_linked()),
        Some("unlinked") => Some(say.upstream_unlinked_done()),
        Some("sent") => Some(say.address_sent()),
        Some("lately") => Some(say.address_lately()),
        Some("address") => Some(say.address_confirmed()),
        Some("close") => Some(say.close_noted()),
        Some("open") => Some(say.close_taken_back()),
        _ => None,
    };
    let standing = reproof::standing(&app, held.user.id).await?;
    let cancelled = standing.is_none() && request.uri().query() == Some("recovery");
    let notice = notice.or_else(|| cancelled.then(|| say.recovery_cancelled()));
    let shown = (notice, standing);
    Ok(render(&app, &caller, (&held, &overview), shown).await?)
}

async fn render(
    app: &App,
    caller: &Caller,
    (held, overview): (&SignedIn, &Overview),
    (notice, standing): (Option<String>, Option<Reproof>),
) -> Result<Response, Fault> {
    let say = caller.say();
    let registered = app.registry.now();
    let now = app.clock.now();
    let apps = &overview.grants[..overview.grants.len().min(SHOWN)];
    let sessions = overview.sessions.iter().take(SHOWN);
    let activity = flow::newest(app, held, 5).await?;
    let standing = standing.map(|one| match one.approved_by {
        Some(_) => say.recovery_standing_approved(),
        None => say.recovery_standing_what(say.date_and_time(one.opens_at)),
    });
    let view = Account {
        chrome: &chrome(app, caller),
        name: held.user.profile.display_name().to_owned(),
        notice,
        unconfirmed: confirm_address::offered(app, &held.user).map(str::to_owned),
        recovery: standing,
        apps: rows::app_rows(app, say, apps).await?,
        more_apps: overview.grants.len().saturating_sub(SHOWN),
        sessions: sessions
            .map(|session| rows::session_row(say, held, session, now))
            .collect::<Result<_, Fault>>()?,
        more_sessions: overview.sessions.len().saturating_sub(SHOWN),
        ways: {
            let mut ways = ways(app, caller, overview);
            ways.extend(upstream::way(app, caller, held).await?);
            ways
        },
        activity: activity
            .iter()
            .map(|entry| activity::row(say, &registered, entry))
            .collect(),
        close_asked: held.user.close_asked_at.map(|since| say.date(since)),
        sign_out_action: "/sign-out".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// How she signs in.
fn ways(app: &App, caller: &Caller, overview: &Overview) -> Vec<WayIn> {
    let say = caller.say();
    let bound = overview.kept.app.map(|(since, used)| match used {
        Some(used) => say.account_app_used(say.date(since), say.date(used)),
        None => say.account_app_since(say.date(since)),
    });
    let codes = overview.kept.recovery;
    let codes = codes.map(|(left, made)| say.account_codes_kept(left, say.date(made)));
    let link = |to: &str, words| Some((format!("/account/{to}"), words));
    let mut ways: Vec<_> = overview.keys.iter().map(|key| way(say, key)).collect();
    if app.config.issuer.takes_passkeys() {
        ways.push(WayIn {
            label: say.passkeys_title(),
            detail: Some(say.passkeys_what()),
            link: link("passkeys/add", say.passkey_add()),
        });
    }
    ways.push(WayIn {
        label: say.account_password(),
        detail: None,
        link: link("password", say.change_password()),
    });
    let words = match &bound {
        Some(_) => say.app_replace(),
        None => say.app_connect(),
    };
    ways.push(WayIn {
        label: say.account_app(),
        detail: bound,
        link: link("app", words),
    });
    ways.push(WayIn {
        label: say.account_codes(),
        detail: codes,
        link: link("recovery-codes", say.new_codes()),
    });
    ways
}

/// One of her keys.
fn way(say: Words, key: &keys::Listed) -> WayIn {
    WayIn {
        label: passkeys::label(say, key),
        detail: Some(passkeys::detail(say, key)),
        link: Some((
            format!("/account/passkeys/{}", key.id),
            say.passkey_manage(),
        )),
    }
}

/// Where a page is, with its query.
fn address(request: &Request) -> &str {
    let whole = request.uri().path_and_query();
    whole.map_or(HOME, PathAndQuery::as_str)
}

/// The page of a form, with what was typed into it and is no secret.
fn typed(path: &str, fields: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    format!("{path}?{}", query.finish())
}

/// A field that an address fills in.
fn filled(request: &Request, name: &str) -> Option<String> {
    let query = url::form_urlencoded::parse(request.uri().query()?.as_bytes());
    let (_, value) = query.into_iter().find(|(found, _)| found == name)?;
    Some(value.into_owned())
}

/// Whose account this is. Whoever is not signed in, or left the account pages alone for too long,
/// signs in first and comes back `here`.
async fn at_account(app: &App, headers: &HeaderMap, here: &str) -> Result<SignedIn, Stop> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let held = sessions::at_account(app, cookies.get(cookies::SESSION)).await?;
    held.ok_or_else(|| {
        let path = here.split('?').next().unwrap_or(HOME);
        if path == HOME {
            return see_other("/sign-in").into();
        }
        let here = if is_destination(here) { here } else { path };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("to", here);
        see_other(&format!("/sign-in?{}", query.finish())).into()
    })
}

/// What a form of hers gives for a fresh proof; none when something is missing.
fn proof(app: &App, headers: &HeaderMap, params: &Params, held: &SignedIn) -> Option<Evidence> {
    let fields = Fields {
        username: &held.user.profile.username,
        password: "current",
    };
    evidence(app, headers, params, &fields)
}

/// The same answer, and the browser lets go of its session.
fn forget_session(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    let cookies = Cookies::of(headers, &app.config.issuer);
    set_cookie(&mut response, cookies.forget(cookies::SESSION));
    response
}
