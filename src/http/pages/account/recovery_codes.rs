//! New recovery codes: a fresh proof, the set, and one of it typed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::password::renewed;
use super::{at_account, proof};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::account;
use crate::flows::renew_recovery::{self, Begun, Confirmed, Waiting};
use crate::flows::sessions::SignedIn;
use crate::flows::sign_in::Evidence;
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::pages::sign_in::{Again, refused_passkey};
use crate::http::pages::view::{NewRecoveryCodes, Problem, RenewRecovery};
use crate::http::pages::{Stop, chrome, own_form, page, page_with_keys, see_other};

const HERE: &str = "/account/recovery-codes";

/// `GET /account/recovery-codes`: the set that waits to be confirmed, or the form that makes one.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), HERE).await?;
    if let Some(waiting) = renew_recovery::waiting(&app, &held).await? {
        return Ok(codes(&app, &caller, &held, waiting, None));
    }
    let left = left(&app, &caller, &held).await?;
    Ok(form(&app, &caller, left, StatusCode::OK, None))
}

/// `POST /account/recovery-codes`: one verdict for password and code, then a new set.
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let say = caller.say();
    let left = left(&app, &caller, &held).await?;
    let again = |again: Again| {
        Ok(again.page(|status, problem| form(&app, &caller, left, status, Some(problem))))
    };
    let Some(evidence) = proof(&app, &headers, &params, &held) else {
        return again(Again::of(Problem::of(say.account_fill_in())));
    };
    let by_passkey = matches!(evidence, Evidence::Passkey(_));
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let device = cookies.get(cookies::DEVICE);
    match renew_recovery::begin(&app, held, evidence, device, &caller).await? {
        Begun::Shown(token) => Ok(renewed(&app, &headers, &token, HERE)),
        Begun::SignedOut => Ok(see_other("/sign-in")),
        Begun::Refused if by_passkey => again(refused_passkey(say)),
        Begun::Refused => again(Again::of(Problem::of(say.sign_in_refused()))),
        Begun::Blocked { until } => again(Again::blocked(&app, say, until)),
    }
}

/// `POST /account/recovery-codes/confirm`: from now on the new set counts.
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let typed = params.get("confirm").unwrap_or_default();
    match renew_recovery::confirm(&app, &held, typed, &caller).await? {
        Confirmed::Done => Ok(see_other("/account?codes")),
        // That page says how many codes count now, and since when.
        Confirmed::Gone => Ok(see_other(HERE)),
        Confirmed::WrongCode => {
            let say = caller.say();
            let Some(waiting) = renew_recovery::waiting(&app, &held).await? else {
                return Ok(see_other(HERE));
            };
            let problem = Problem::of(say.activate_codes_wrong())
                .field("confirm", say.activate_codes_wrong_hint());
            Ok(codes(&app, &caller, &held, waiting, Some(problem)))
        }
    }
}

/// `POST /account/recovery-codes/cancel`: the old codes go on.
pub async fn cancel(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, _, _) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    renew_recovery::cancel(&app, &held).await?;
    Ok(see_other("/account"))
}

/// How many codes count, and since when.
async fn left(app: &App, caller: &Caller, held: &SignedIn) -> Result<Option<String>, Fault> {
    let kept = account::kept(app, held).await?;
    let say = caller.say();
    Ok(kept
        .recovery
        .map(|(left, made)| say.account_codes_kept(left, say.date(made))))
}

fn form(
    app: &App,
    caller: &Caller,
    left: Option<String>,
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let view = RenewRecovery {
        chrome: &chrome(app, caller),
        action: HERE.to_owned(),
        left,
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}

fn codes(
    app: &App,
    caller: &Caller,
    held: &SignedIn,
    waiting: Waiting,
    problem: Option<Problem>,
) -> Response {
    let status = match problem {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let view = NewRecoveryCodes {
        chrome: &chrome(app, caller),
        action: format!("{HERE}/confirm"),
        cancel_action: format!("{HERE}/cancel"),
        username: held.user.profile.username.clone(),
        codes: waiting.codes,
        ask_index: waiting.asked,
        problem,
    };
    page(status, &view, None)
}
