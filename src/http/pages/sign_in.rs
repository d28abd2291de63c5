//! Signing in without an app's request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use rules::protocol::Params;
use rules::time::Timestamp;

use super::proof::{self, Fields};
use super::view::{Problem, SignIn};
use super::{Stop, chrome, own_form, page_with_keys, see_other, set_cookie, upstream};
use crate::app::App;
use crate::defence::limits::Exceeded;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::sessions::{self, SignedIn};
use crate::flows::sign_in::{self, Evidence, Held, Verdict, Way};
use crate::http::cookies::{self, Cookies};
use crate::http::limit;
use crate::http::oauth::caller;
use crate::words::Words;

/// How long the cookie of a known device stays.
const DEVICE_DAYS: u64 = 90;

/// `GET /sign-in`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let headers = request.headers().clone();
    let to = destination(request.uri());
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let session = cookies.get(cookies::SESSION);
    if sessions::at_account(&app, session).await?.is_some() {
        return Ok(see_other(to.as_deref().unwrap_or(ACCOUNT)));
    }
    // Still signed in for apps, but away from the account pages for too long.
    let away = sessions::current(&app, session).await?.is_some();
    let reason = away.then(|| caller.say().sign_in_away());
    let shown = Form::to_account(to.as_deref(), reason);
    if let Some(again) = upstream::trouble(&app, &caller, request.uri()) {
        return Ok(again.show(&app, &caller, &shown, ""));
    }
    Ok(form(&app, &caller, &shown, StatusCode::OK, None))
}

/// `POST /sign-in`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let to = destination(request.uri());
    let (headers, params, caller) = own_form(&app, request).await?;
    Ok(match attempt(&app, &headers, &params, &caller).await? {
        Attempt::SignedIn { cookies, .. } => {
            let mut response = see_other(to.as_deref().unwrap_or(ACCOUNT));
            for cookie in cookies {
                set_cookie(&mut response, cookie);
            }
            response
        }
        Attempt::Again(again) => {
            let shown = Form::to_account(to.as_deref(), None);
            let typed = params.get("username").unwrap_or_default();
            again.show(&app, &caller, &shown, typed)
        }
    })
}

/// Where a sign-in without an app's request leads.
const ACCOUNT: &str = "/account";

/// The account page that a sign-in goes back to. Nothing else can be asked for: neither another page
/// nor another server.
pub(super) fn destination(uri: &Uri) -> Option<String> {
    let query = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let (_, to) = query.into_iter().find(|(name, _)| name == "to")?;
    is_destination(&to).then(|| to.into_owned())
}

/// Whether a sign-in goes back to this address.
pub(super) fn is_destination(to: &str) -> bool {
    let (path, query) = to.split_once('?').unwrap_or((to, ""));
    let rest = path.strip_prefix(ACCOUNT);
    let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // No dots and no escapes in the path: a browser would read steps upwards in them.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-".contains(c);
    let written = |c: char| c.is_ascii_alphanumeric() || "=&-+%._*".contains(c);
    below && to.len() <= 1000 && path.chars().all(plain) && query.chars().all(written)
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
    upstream_href: String,
    asked_by: Option<String>,
    cancel_action: Option<String>,
    returns_to: Option<String>,
    hint: Option<String>,
    reason: Option<String>,
}

impl Form {
    /// To an account page.
    fn to_account(to: Option<&str>, reason: Option<String>) -> Self {
        let query = to.map_or_else(String::new, |to| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("to", to);
            format!("?{}", query.finish())
        });
        Self {
            action: format!("/sign-in{query}"),
            upstream_href: format!("/sign-in/upstream{query}"),
            asked_by: None,
            cancel_action: None,
            returns_to: None,
            hint: None,
            reason,
        }
    }

    /// For an app's request.
    pub(super) fn for_app(id: &str, name: &str, returns_to: &str, hint: Option<&str>) -> Self {
        Self {
            action: format!("/interaction/{id}/sign-in"),
            upstream_href: format!("/interaction/{id}/upstream"),
            asked_by: Some(name.to_owned()),
            cancel_action: Some(format!("/interaction/{id}/cancel")),
            returns_to: Some(returns_to.to_owned()),
            hint: hint.map(str::to_owned),
            reason: None,
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
        reason: form.reason.clone(),
        upstream: upstream::name(app, caller).map(|name| (form.upstream_href.clone(), name)),
    };
    page_with_keys(status, &view, form.returns_to.as_deref())
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
    /// Something is to be mended.
    pub(super) fn of(problem: Problem) -> Self {
        Self::with(StatusCode::BAD_REQUEST, problem)
    }

    /// Something happened that has a status of its own.
    pub(super) fn with(status: StatusCode, problem: Problem) -> Self {
        Self {
            status,
            problem,
            retry_after: None,
            exceeded: None,
        }
    }

    /// Whether there is nothing to wait for.
    pub(super) fn is_mendable(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }

    /// There were too many failures.
    pub(super) fn blocked(app: &App, say: Words, until: Timestamp) -> Self {
        let left = until.since(app.clock.now());
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            problem: Problem::of(say.sign_in_blocked(say.wait(left))),
            retry_after: Some(left.as_secs().max(1)),
            exceeded: None,
        }
    }

    /// There were too many failures from this network.
    pub(super) fn limited(say: Words, exceeded: Exceeded) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            problem: Problem::of(say.limits_sign_ins(say.wait(exceeded.wait))),
            retry_after: None,
            exceeded: Some(exceeded),
        }
    }

    /// The page that `make` makes of it.
    pub(super) fn page(self, make: impl FnOnce(StatusCode, Problem) -> Response) -> Response {
        let mut response = make(self.status, self.problem);
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

    pub(super) fn show(self, app: &App, caller: &Caller, shown: &Form, username: &str) -> Response {
        self.page(|status, problem| form(app, caller, shown, status, Some((problem, username))))
    }
}

/// Takes what was typed to the one verdict.
pub(super) async fn attempt(
    app: &Arc<App>,
    headers: &HeaderMap,
    params: &Params,
    caller: &Caller,
) -> Result<Attempt, Fault> {
    let fields = Fields {
        username: params.get("username").unwrap_or_default(),
        password: "password",
    };
    let Some(evidence) = proof::evidence(app, headers, params, &fields) else {
        let problem = Problem::of(caller.say().sign_in_missing());
        return Ok(Attempt::Again(Again::of(problem)));
    };
    judged(app, headers, evidence, caller).await
}

/// Takes what was given to it.
pub(super) async fn judged(
    app: &Arc<App>,
    headers: &HeaderMap,
    evidence: Evidence,
    caller: &Caller,
) -> Result<Attempt, Fault> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let again = |again| Ok(Attempt::Again(again));
    let way = evidence.way(app.clock.now());
    let held = Held {
        device: cookies.get(cookies::DEVICE).map(str::to_owned),
        session: held(app, headers).await?,
    };
    match sign_in::sign_in(app, evidence, held, caller).await? {
        Verdict::SignedIn(gained) => {
            let mut set = vec![cookies.set(cookies::SESSION, gained.token.expose(), None)];
            if let Some(device) = gained.device {
                let lifetime = std::time::Duration::from_hours(DEVICE_DAYS * 24);
                set.push(cookies.set(cookies::DEVICE, device.expose(), Some(lifetime)));
            }
            Ok(Attempt::SignedIn {
                session: gained.session,
                cookies: set,
            })
        }
        Verdict::Refused => again(refusal(caller.say(), way)),
        Verdict::Blocked { until } => again(Again::blocked(app, caller.say(), until)),
        Verdict::Limited(exceeded) => again(Again::limited(caller.say(), exceeded)),
    }
}

/// The one verdict, in words for the way that was taken.
pub(super) fn refusal(say: Words, way: Way) -> Again {
    Again::of(Problem::of(match way {
        Way::Late => say.passkey_late(),
        Way::Passkey => say.passkey_refused(),
        Way::Typed => say.sign_in_refused(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_back_to_account_pages_only() {
        let to = |address: &str| destination(&address.parse::<Uri>().unwrap());
        for good in [
            "/account",
            "/account/apps?page=2",
            "/account/not-me?event=0-a",
            "/account/passkeys/add?kind=passkey&name=My+phone+%E2%98%8E.",
        ] {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair("to", good).finish();
            assert_eq!(to(&format!("/sign-in?{query}")).as_deref(), Some(good));
        }
        for bad in [
            "/sign-in",
            "/sign-in?to=",
            "/sign-in?to=https://evil.example/account",
            "/sign-in?to=//evil.example",
            "/sign-in?to=/accounts",
            "/sign-in?to=/account.evil.example",
            "/sign-in?to=/account@evil.example",
            "/sign-in?to=/account/../authorize",
            "/sign-in?to=/account/%252e%252e/authorize",
            "/sign-in?to=/account%5C..%5C",
            "/sign-in?to=/account%0D%0ASet-Cookie:x",
            "/sign-in?to=/authorize?client_id=x",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
