//! Signing in without an app's request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::Response;
use rules::protocol::Params;

use super::view::{Problem, SignIn};
use super::{Stop, chrome, own_form, page, see_other, set_cookie};
use crate::app::App;
use crate::defence::limits::Exceeded;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::sessions::{self, SignedIn};
use crate::flows::sign_in::{self, Held, Typed, Verdict};
use crate::http::cookies::{self, Cookies};
use crate::http::limit;
use crate::http::oauth::caller;
use crate::secret::Secret;

/// How long the cookie of a known device stays.
const DEVICE_DAYS: u64 = 90;

/// `GET /sign-in`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let headers = request.headers().clone();
    Ok(match signed_in(&app, &headers).await? {
        Some(_) => see_other("/account"),
        None => form(&app, &caller, &Form::new("/sign-in"), StatusCode::OK, None),
    })
}

/// `POST /sign-in`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    Ok(match attempt(&app, &headers, &params, &caller).await? {
        Attempt::SignedIn { cookies, .. } => {
            let mut response = see_other("/account");
            for cookie in cookies {
                set_cookie(&mut response, cookie);
            }
            response
        }
        Attempt::Again(again) => again.show(&app, &caller, &Form::new("/sign-in"), &params),
    })
}

/// Who is signed in in this browser.
pub(super) async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, Fault> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    sessions::current(app, cookies.get(cookies::SESSION)).await
}

/// The session that this browser holds, even one that stood unused for too long.
pub(super) async fn held(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, Fault> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    sessions::held(app, cookies.get(cookies::SESSION)).await
}

/// Where the form leads, and on whose behalf it is shown.
pub(super) struct Form {
    action: String,
    asked_by: Option<String>,
    cancel_action: Option<String>,
    returns_to: Option<String>,
    hint: Option<String>,
}

impl Form {
    fn new(action: &str) -> Self {
        Self {
            action: action.to_owned(),
            asked_by: None,
            cancel_action: None,
            returns_to: None,
            hint: None,
        }
    }

    /// For an app's request.
    pub(super) fn for_app(id: &str, name: &str, returns_to: &str, hint: Option<&str>) -> Self {
        Self {
            action: format!("/interaction/{id}/sign-in"),
            asked_by: Some(name.to_owned()),
            cancel_action: Some(format!("/interaction/{id}/cancel")),
            returns_to: Some(returns_to.to_owned()),
            hint: hint.map(str::to_owned),
        }
    }
}

pub(super) fn form(
    app: &App,
    caller: &Caller,
    form: &Form,
    status: StatusCode,
    again: Option<(Problem, &str)>,
) -> Response {
    let (problem, username) = match again {
        Some((problem, username)) => (Some(problem), username.to_owned()),
        None => (None, form.hint.clone().unwrap_or_default()),
    };
    let view = SignIn {
        chrome: &chrome(app, caller),
        action: form.action.clone(),
        asked_by: form.asked_by.clone(),
        username,
        problem,
        cancel_action: form.cancel_action.clone(),
    };
    page(status, &view, form.returns_to.as_deref())
}

/// How an attempt ended.
pub(super) enum Attempt {
    /// She is signed in.
    SignedIn {
        session: uuid::Uuid,
        cookies: Vec<HeaderValue>,
    },
    /// The form is shown again.
    Again(Again),
}

/// Why.
pub(super) struct Again {
    status: StatusCode,
    problem: Problem,
    retry_after: Option<u64>,
    exceeded: Option<Exceeded>,
}

impl Again {
    pub(super) fn show(
        self,
        app: &App,
        caller: &Caller,
        shown: &Form,
        params: &Params,
    ) -> Response {
        let username = params.get("username").unwrap_or_default();
        let mut response = form(
            app,
            caller,
            shown,
            self.status,
            Some((self.problem, username)),
        );
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(exceeded) = self.exceeded {
            limit::tell_exceeded(response.headers_mut(), &exceeded);
        }
        response
    }
}

/// Takes what was typed to the one verdict.
pub(super) async fn attempt(
    app: &Arc<App>,
    headers: &HeaderMap,
    params: &Params,
    caller: &Caller,
) -> Result<Attempt, Fault> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let field = |name| params.get(name).unwrap_or_default().to_owned();
    let typed = Typed {
        username: field("username"),
        password: Secret::new(field("password")),
        code: Secret::new(field("code")),
    };
    let again = |status, problem, retry_after| {
        Ok(Attempt::Again(Again {
            status,
            problem,
            retry_after,
            exceeded: None,
        }))
    };
    let missing = typed.username.is_empty()
        || typed.password.expose().is_empty()
        || typed.code.expose().is_empty();
    if missing {
        let problem = Problem::of(caller.say().sign_in_missing());
        return again(StatusCode::BAD_REQUEST, problem, None);
    }
    let held = Held {
        device: cookies.get(cookies::DEVICE).map(str::to_owned),
        session: held(app, headers).await?,
    };
    match sign_in::sign_in(app, typed, held, caller).await? {
        Verdict::SignedIn(gained) => {
            let session = gained.session;
            let mut set = vec![cookies.set(cookies::SESSION, gained.token.expose(), None)];
            if let Some(device) = gained.device {
                let lifetime = std::time::Duration::from_hours(DEVICE_DAYS * 24);
                set.push(cookies.set(cookies::DEVICE, device.expose(), Some(lifetime)));
            }
            let cookies = set;
            Ok(Attempt::SignedIn { session, cookies })
        }
        Verdict::Refused => again(
            StatusCode::BAD_REQUEST,
            Problem::of(caller.say().sign_in_refused()),
            None,
        ),
        Verdict::Limited(exceeded) => Ok(Attempt::Again(Again {
            status: StatusCode::TOO_MANY_REQUESTS,
            problem: Problem::of(
                caller
                    .say()
                    .limits_sign_ins(caller.say().wait(exceeded.wait)),
            ),
            retry_after: None,
            exceeded: Some(exceeded),
        })),
        Verdict::Blocked { until } => {
            let left = until.since(app.clock.now());
            let say = caller.say();
            let problem = Problem::of(say.sign_in_blocked(say.wait(left)));
            let seconds = left.as_secs().max(1);
            again(StatusCode::TOO_MANY_REQUESTS, problem, Some(seconds))
        }
    }
}
