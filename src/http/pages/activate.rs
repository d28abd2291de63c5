//! The pages of an activation.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;

use super::view::{
    ActivateCodes, ActivateDone, ActivateFactor, ActivatePassword, ActivateStart, Problem, Qr,
};
use super::{Notice, chrome, failed, own_form, page, see_other, set_cookie, words};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::activate::{self, Mend, Stepped, View};
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::secret::Secret;
use crate::totp;

/// `GET /invite/{token}`: greets; nothing is spent.
pub async fn greet(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let caller = caller(&request);
    match activate::greet(&app, &token).await {
        Ok(Some(greeting)) => {
            let view = ActivateStart {
                chrome: &chrome(&app),
                action: format!("/invite/{token}"),
                name: greeting.name,
                until: words::date_and_time(greeting.expires_at),
            };
            page(StatusCode::OK, &view, None)
        }
        Ok(None) => over(&app, &caller),
        Err(fault) => failed(&app, &caller, &fault),
    }
}

/// `POST /invite/{token}`: opens the ceremony in this browser.
pub async fn begin(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (headers, _, caller) = match own_form(&app, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    match activate::begin(&app, &token).await {
        Ok(Some(held)) => {
            let cookies = Cookies::of(&headers, &app.config.issuer);
            let lifetime = Some(Lifetimes::ACTIVATION);
            let mut response = see_other("/activate");
            let cookie = cookies.set(cookies::ACTIVATION, held.expose(), lifetime);
            set_cookie(&mut response, cookie);
            response
        }
        Ok(None) => over(&app, &caller),
        Err(fault) => failed(&app, &caller, &fault),
    }
}

/// `GET /activate`: the current step.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let caller = caller(&request);
    match render(&app, request.headers(), None, &caller).await {
        Ok(response) => response,
        Err(fault) => failed(&app, &caller, &fault),
    }
}

/// `POST /activate/password`.
pub async fn password(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, params, caller) = match own_form(&app, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let field = |name| Secret::new(params.get(name).unwrap_or_default().to_owned());
    let stepped = match held(&app, &headers) {
        Some(token) => {
            activate::choose_password(&app, &token, &field("password"), &field("repeat")).await
        }
        None => Ok(Stepped::Gone),
    };
    conclude(&app, &headers, stepped, &caller).await
}

/// `POST /activate/factor`.
pub async fn factor(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, params, caller) = match own_form(&app, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let stepped = match held(&app, &headers) {
        Some(token) => {
            activate::prove_factor(&app, &token, params.get("code").unwrap_or_default()).await
        }
        None => Ok(Stepped::Gone),
    };
    conclude(&app, &headers, stepped, &caller).await
}

/// `POST /activate/codes`.
pub async fn codes(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, params, caller) = match own_form(&app, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let typed = params.get("confirm").unwrap_or_default();
    let stepped = match held(&app, &headers) {
        Some(token) => activate::confirm_codes(&app, &token, typed, &caller).await,
        None => Ok(Stepped::Gone),
    };
    conclude(&app, &headers, stepped, &caller).await
}

async fn conclude(
    app: &App,
    headers: &HeaderMap,
    stepped: Result<Stepped, Fault>,
    caller: &Caller,
) -> Response {
    match stepped {
        Ok(Stepped::Next) => see_other("/activate"),
        Ok(Stepped::Done) => done(app, headers),
        Ok(Stepped::Gone) => over(app, caller),
        Ok(Stepped::Mend(mend)) => {
            let shown = render(app, headers, Some(mend), caller).await;
            shown.unwrap_or_else(|fault| failed(app, caller, &fault))
        }
        Err(fault) => failed(app, caller, &fault),
    }
}

async fn render(
    app: &App,
    headers: &HeaderMap,
    mend: Option<Mend>,
    caller: &Caller,
) -> Result<Response, Fault> {
    let view = match held(app, headers) {
        Some(token) => activate::view(app, &token).await?,
        None => None,
    };
    let chrome = &chrome(app);
    let status = match mend {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let problem = mend.map(problem);
    Ok(match view {
        None => over(app, caller),
        Some(View::Password { username }) => {
            let view = ActivatePassword {
                chrome,
                action: "/activate/password".to_owned(),
                username,
                problem,
            };
            page(status, &view, None)
        }
        Some(View::Factor { username, secret }) => {
            let address = totp::address(&secret, &app.config.institution.name, &username)?;
            let view = ActivateFactor {
                chrome,
                action: "/activate/factor".to_owned(),
                qr: Qr::of(&address).map_err(|error| Fault::Internal(error.to_string()))?,
                key_groups: totp::key_groups(&secret),
                account_label: username,
                otpauth_url: address,
                problem,
            };
            page(status, &view, None)
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

fn problem(mend: Mend) -> Problem {
    match mend {
        Mend::Weak(weakness) => {
            Problem::of("Please choose another password.").field("password", weakness.message())
        }
        Mend::Differ => Problem::of("The two passwords differ.")
            .field("repeat", "Type the same password in both fields."),
        Mend::WrongCode => Problem::of("That code doesn’t match.").field(
            "code",
            "Enter the six digits that the app shows now. If they never match, check that the clock \
             of your phone is set automatically.",
        ),
        Mend::WrongRecovery => Problem::of("That is not the code we asked for.").field(
            "confirm",
            "Type the code with the number shown, from the list you saved.",
        ),
    }
}

fn done(app: &App, headers: &HeaderMap) -> Response {
    let view = ActivateDone {
        chrome: &chrome(app),
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
    Notice {
        status: StatusCode::GONE,
        heading: "This invitation can’t be used",
        what: "It was used already, it is too old, or a newer one was sent.",
        todo: Some("Ask us for a new invitation. If you already set up your account, sign in."),
    }
    .show(app, caller, None)
}
