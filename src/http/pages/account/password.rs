//! Changing the password.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;

use super::{at_account, proof};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::change_password::{Asked, Changed, Mend, change_password};
use crate::flows::sign_in::Evidence;
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::pages::sign_in::{Again, refused_passkey};
use crate::http::pages::view::{ChangePassword, Problem};
use crate::http::pages::weakness::weakness;
use crate::http::pages::{Stop, chrome, own_form, page_with_keys, see_other, set_cookie};
use crate::secret::{Secret, Token};
use crate::words::Words;

const HERE: &str = "/account/password";

/// `GET /account/password`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), HERE).await?;
    let username = &held.user.profile.username;
    Ok(form(&app, &caller, (username, ""), StatusCode::OK, None))
}

/// `POST /account/password`: one verdict for the current password and the code.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let say = caller.say();
    let username = held.user.profile.username.clone();
    let again = |again: Again, kept: &str| {
        let shown = (username.as_str(), kept);
        Ok(again.page(|status, problem| form(&app, &caller, shown, status, Some(problem))))
    };
    // No secret: it is good for half a minute, and with the password alone. A recovery code is one.
    let code = params.get("code").unwrap_or_default();
    let is_short = code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
    let unused = if is_short { code } else { "" };
    let field = |name| Secret::new(params.get(name).unwrap_or_default().to_owned());
    let (new, repeat) = (field("password"), field("repeat"));
    let evidence = proof(&app, &headers, &params, &held);
    let filled = !new.expose().is_empty() && !repeat.expose().is_empty();
    let Some(evidence) = evidence.filter(|_| filled) else {
        return again(Again::of(Problem::of(say.account_fill_in())), unused);
    };
    let by_passkey = matches!(evidence, Evidence::Passkey(_));
    let asked = Asked {
        evidence,
        new,
        repeat,
    };
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let device = cookies.get(cookies::DEVICE).map(str::to_owned);
    match change_password(&app, held, asked, device, &caller).await? {
        Changed::Done(token) => Ok(renewed(&app, &headers, &token, "/account?password")),
        Changed::SignedOut => Ok(see_other("/sign-in")),
        Changed::Unfit(mend) => again(Again::of(problem(say, mend)), unused),
        Changed::Refused if by_passkey => again(refused_passkey(say), ""),
        Changed::Refused => again(Again::of(Problem::of(say.sign_in_refused())), ""),
        Changed::Blocked { until } => again(Again::blocked(&app, say, until), ""),
    }
}

/// Goes on under the session's new cookie.
pub(super) fn renewed(app: &App, headers: &HeaderMap, token: &Token, to: &str) -> Response {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let mut response = see_other(to);
    let cookie = cookies.set(cookies::SESSION, token.expose(), None);
    set_cookie(&mut response, cookie);
    response
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
