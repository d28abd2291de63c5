//! Changing the password.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::proved::Form;
use super::{address, at_account};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::change_password::{Mend, change_password};
use crate::http::oauth::caller;
use crate::http::pages::view::{ChangePassword, Problem};
use crate::http::pages::weakness::weakness;
use crate::http::pages::{Stop, chrome, own_form, page_with_keys, see_other};
use crate::secret::Secret;
use crate::words::Words;

const HERE: &str = "/account/password";

/// `GET /account/password`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let username = &held.user.profile.username;
    Ok(form(&app, &caller, (username, ""), StatusCode::OK, None))
}

/// `POST /account/password`: one verdict for the current password and the code.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let username = held.user.profile.username.clone();
    let form = |kept| Form {
        app: &app,
        caller: &caller,
        headers: &headers,
        show: {
            let shown = (username.as_str(), kept);
            let (app, caller) = (&app, &caller);
            move |status, problem| form(app, caller, shown, status, Some(problem))
        },
    };
    // No secret: it is good for half a minute, and with the password alone. A recovery code is one.
    let code = params.get("code").unwrap_or_default();
    let is_short = code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
    let unused = form(if is_short { code } else { "" });
    let field = |name| Secret::new(params.get(name).unwrap_or_default().to_owned());
    let (new, repeat) = (field("password"), field("repeat"));
    let fresh = unused.fresh(&params, held)?;
    if new.expose().is_empty() || repeat.expose().is_empty() {
        return Ok(unused.fill_in());
    }
    Ok(
        match Box::pin(change_password(&app, fresh, (&new, &repeat))).await? {
            Ok(proved) => form("").conclude(proved, |()| see_other("/account?password")),
            Err(mend) => unused.mend(problem(caller.say(), mend)),
        },
    )
}

fn problem(say: Words, mend: Mend) -> Problem {
    match mend {
        Mend::Weak(weak) => {
            Problem::of(say.activate_password_weak()).field("password", weakness(say, weak))
        }
        Mend::Same => {
            Problem::of(say.activate_password_weak()).field("password", say.change_password_same())
        }
        Mend::Differ => Problem::of(say.activate_passwords_differ())
            .field("repeat", say.activate_passwords_differ_hint()),
    }
}

fn form(
    app: &App,
    caller: &Caller,
    (username, code): (&str, &str),
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let view = ChangePassword {
        chrome: &chrome(app, caller),
        action: HERE.to_owned(),
        username: username.to_owned(),
        code: code.to_owned(),
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}
