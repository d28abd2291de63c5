//! The pages of an activation.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::view::{
    ActivateCodes, ActivateDone, ActivateFactor, ActivatePassword, ActivateStart, Problem, Qr,
};
use super::weakness::weakness;
use super::{
    Notice, Stop, chrome, own_form, page, page_with_keys, page_with_password, see_other, set_cookie,
};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::activate::{self, Mend, Stepped, View};
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::reply;
use crate::secret::Secret;
use crate::totp;
use crate::words::Words;

/// `GET /invite/{token}`: greets; nothing is spent.
pub async fn greet(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let Some(greeting) = activate::greet(&app, &token).await? else {
        return Ok(over(&app, &caller));
    };
    let view = ActivateStart {
        chrome: &chrome(&app, &caller),
        action: format!("/invite/{token}"),
        name: greeting.name,
        until: caller.say().date_and_time(greeting.expires_at),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /invite/{token}`: opens the ceremony in this browser.
pub async fn begin(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let Some(held) = activate::begin(&app, &token).await? else {
        return Ok(over(&app, &caller));
    };
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let lifetime = Some(Lifetimes::ACTIVATION);
    let mut response = see_other("/activate");
    let cookie = cookies.set(cookies::ACTIVATION, held.expose(), lifetime);
    set_cookie(&mut response, cookie);
    Ok(response)
}

/// `GET /activate`: the current step.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let token = held(&app, request.headers());
    Ok(render(&app, token.as_deref(), None, &caller).await?)
}

/// `POST /activate/password`.
pub async fn password(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(token) = held(&app, &headers) else {
        return Ok(over(&app, &caller));
    };
    let field = |name| Secret::new(params.get(name).unwrap_or_default().to_owned());
    let (typed, repeated) = (field("password"), field("repeat"));
    let stepped = activate::choose_password(&app, &token, &typed, &repeated).await?;
    conclude(&app, &headers, stepped, &caller).await
}

/// `POST /activate/factor`.
pub async fn factor(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(token) = held(&app, &headers) else {
        return Ok(over(&app, &caller));
    };
    let typed = params.get("code").unwrap_or_default();
    let stepped = activate::prove_factor(&app, &token, typed).await?;
    conclude(&app, &headers, stepped, &caller).await
}

/// `POST /activate/passkey/ask`: what the device is to make.
pub async fn ask_passkey(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let options = match held(&app, &headers) {
        Some(token) => activate::ask_passkey(&app, &token).await?,
        None => None,
    };
    Ok(match options {
        Some(options) => reply::json(&json!({ "publicKey": options })),
        None => over(&app, &caller),
    })
}

/// `POST /activate/passkey`: what it made.
pub async fn passkey(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(token) = held(&app, &headers) else {
        return Ok(over(&app, &caller));
    };
    let answer = Secret::new(params.get("credential").unwrap_or_default().to_owned());
    let stepped = activate::prove_passkey(&app, &token, &answer).await?;
    conclude(&app, &headers, stepped, &caller).await
}

/// `POST /activate/codes`.
pub async fn codes(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(token) = held(&app, &headers) else {
        return Ok(over(&app, &caller));
    };
    let typed = params.get("confirm").unwrap_or_default();
    let stepped = activate::confirm_codes(&app, &token, typed, &caller).await?;
    conclude(&app, &headers, stepped, &caller).await
}

async fn conclude(
    app: &App,
    headers: &HeaderMap,
    stepped: Stepped,
    caller: &Caller,
) -> Result<Response, Stop> {
    Ok(match stepped {
        Stepped::Next => see_other("/activate"),
        Stepped::Done => done(app, caller, headers),
        Stepped::Gone => over(app, caller),
        Stepped::Mend(mend) => {
            let token = held(app, headers);
            render(app, token.as_deref(), Some(mend), caller).await?
        }
    })
}

async fn render(
    app: &App,
    token: Option<&str>,
    mend: Option<Mend>,
    caller: &Caller,
) -> Result<Response, Fault> {
    let view = match token {
        Some(token) => activate::view(app, token).await?,
        None => None,
    };
    let chrome = &chrome(app, caller);
    let status = match mend {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let problem = mend.map(|mend| problem(caller.say(), mend));
    Ok(match view {
        None => over(app, caller),
        Some(View::Password { username }) => {
            let view = ActivatePassword {
                chrome,
                action: "/activate/password".to_owned(),
                username,
                problem,
            };
            page_with_password(status, &view)
        }
        Some(View::Factor { username, secret }) => {
            let address = totp::address(&secret, &app.config.institution.name, &username)?;
            let view = ActivateFactor {
                chrome,
                action: "/activate/factor".to_owned(),
                passkey_action: app
                    .config
                    .issuer
                    .takes_passkeys()
                    .then(|| "/activate/passkey".to_owned()),
                qr: Qr::of(&address).map_err(|error| Fault::Internal(error.to_string()))?,
                key_groups: totp::key_groups(&secret),
                account_label: username,
                otpauth_url: address,
                problem,
            };
            page_with_keys(status, &view, None)
        }
        Some(View::Codes {
            username,
            codes,
            asked,
        }) => {
            let view = ActivateCodes {
                chrome,
                action: "/activate/codes".to_owned(),
                username,
                codes,
                ask_index: asked,
                problem,
            };
            page(status, &view, None)
        }
    })
}

fn problem(say: Words, mend: Mend) -> Problem {
    match mend {
        Mend::Weak(weak) => {
            Problem::of(say.activate_password_weak()).field("password", weakness(say, weak))
        }
        Mend::Differ => Problem::of(say.activate_passwords_differ())
            .field("repeat", say.activate_passwords_differ_hint()),
        Mend::WrongCode => {
            Problem::of(say.activate_app_wrong()).field("code", say.activate_app_wrong_hint())
        }
        Mend::PasskeyNotTaken => Problem::of(say.activate_passkey_not_taken()),
        Mend::WrongRecovery => Problem::of(say.activate_codes_wrong())
            .field("confirm", say.activate_codes_wrong_hint()),
    }
}

fn done(app: &App, caller: &Caller, headers: &HeaderMap) -> Response {
    let view = ActivateDone {
        chrome: &chrome(app, caller),
        account_href: "/account".to_owned(),
    };
    let mut response = page(StatusCode::OK, &view, None);
    let cookies = Cookies::of(headers, &app.config.issuer);
    set_cookie(&mut response, cookies.forget(cookies::ACTIVATION));
    response
}

fn held(app: &App, headers: &HeaderMap) -> Option<String> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    cookies.get(cookies::ACTIVATION).map(str::to_owned)
}

/// The page for an invitation or ceremony that cannot be used.
fn over(app: &App, caller: &Caller) -> Response {
    let say = caller.say();
    Notice {
        status: StatusCode::GONE,
        heading: say.activate_over(),
        what: say.activate_over_what(),
        todo: Some(say.activate_over_todo()),
        link: None,
    }
    .show(app, caller, None)
}
