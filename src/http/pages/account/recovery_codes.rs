//! New recovery codes: a fresh proof, the set, and one of it typed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::proved::Ask;
use super::{address, at_account};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::account;
use crate::flows::renew_recovery::{self, Confirmed, Waiting};
use crate::flows::sessions::SignedIn;
use crate::http::oauth::caller;
use crate::http::pages::view::{NewRecoveryCodes, Problem};
use crate::http::pages::{Stop, chrome, own_form, page, see_other};

const HERE: &str = "/account/recovery-codes";

/// `GET /account/recovery-codes`: the set that waits to be confirmed, or the form that makes one.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    if let Some(waiting) = renew_recovery::waiting(&app, &held).await? {
        return Ok(codes(&app, &caller, &held, waiting, None));
    }
    let ask = ask(&app, &caller, &held).await?;
    Ok(ask.show((&app, &caller), StatusCode::OK, None))
}

/// `POST /account/recovery-codes`: one verdict for password and code, then a new set.
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let form = ask(&app, &caller, &held).await?;
    let form = form.form((&app, &caller), &headers);
    let proved = renew_recovery::begin(&app, form.fresh(&params, held)?).await?;
    Ok(form.conclude(proved, |()| see_other(HERE)))
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

/// What is asked, beside how many codes count, and since when.
async fn ask(app: &App, caller: &Caller, held: &SignedIn) -> Result<Ask, Fault> {
    let kept = account::kept(app, held).await?.recovery;
    let say = caller.say();
    let left = kept.map(|(left, made)| say.account_codes_kept(left, say.date(made)));
    Ok(Ask {
        heading: say.new_codes(),
        what: left.into_iter().chain([say.new_codes_what()]).collect(),
        button: say.new_codes_make(),
        action: HERE,
    })
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
