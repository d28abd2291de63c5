//! Another authenticator app: a fresh proof, its key, and a code of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::proved::Ask;
use super::{address, at_account};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::replace_app::{self, Bound};
use crate::flows::sessions::SignedIn;
use crate::http::oauth::caller;
use crate::http::pages::view::{NewApp, Problem, Qr};
use crate::http::pages::{Stop, chrome, own_form, page, see_other};
use crate::totp;
use crate::words::Words;

const HERE: &str = "/account/app";

/// `GET /account/app`: the key that waits for its first code, or the form that makes one.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    if let Some(page) = waiting(&app, &caller, &held, None).await? {
        return Ok(page);
    }
    Ok(ask(caller.say()).show((&app, &caller), StatusCode::OK, None))
}

/// `POST /account/app`: one verdict, then a new key.
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let form = ask(caller.say()).form((&app, &caller), &headers);
    let proved = replace_app::begin(&app, form.fresh(&params, held)?).await?;
    Ok(form.conclude(proved, |()| see_other(HERE)))
}

/// `POST /account/app/confirm`: from now on the new app counts.
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let typed = params.get("code").unwrap_or_default();
    match replace_app::confirm(&app, &held, typed, &caller).await? {
        Bound::Done => Ok(see_other("/account?app")),
        Bound::Gone => Ok(see_other(HERE)),
        Bound::WrongCode => {
            let say = caller.say();
            let problem =
                Problem::of(say.activate_app_wrong()).field("code", say.activate_app_wrong_hint());
            let again = waiting(&app, &caller, &held, Some(problem)).await?;
            Ok(again.unwrap_or_else(|| see_other(HERE)))
        }
    }
}

fn ask(say: Words) -> Ask {
    Ask {
        heading: say.app_new(),
        what: vec![say.app_new_what(), say.passkey_add_proof()],
        button: say.app_new_make(),
        action: HERE,
    }
}

/// The page with the key that waits; none when none does.
async fn waiting(
    app: &App,
    caller: &Caller,
    held: &SignedIn,
    problem: Option<Problem>,
) -> Result<Option<Response>, Fault> {
    let Some(secret) = replace_app::waiting(app, held).await? else {
        return Ok(None);
    };
    let username = held.user.profile.username.clone();
    let address = totp::address(&secret, &app.config.institution.name, &username)?;
    let status = match problem {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let view = NewApp {
        chrome: &chrome(app, caller),
        action: format!("{HERE}/confirm"),
        qr: Qr::of(&address).map_err(|error| Fault::Internal(error.to_string()))?,
        key_groups: totp::key_groups(&secret),
        account_label: username,
        otpauth_url: address,
        problem,
        back_href: "/account".to_owned(),
    };
    Ok(Some(page(status, &view, None)))
}
