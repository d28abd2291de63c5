//! People's pages, one file a journey, and the pages that every journey shares.

pub mod account;
pub mod activate;
mod asking;
pub mod assets;
pub mod choose;
mod claims;
pub mod errors;
pub mod health;
pub mod interaction;
pub mod language;
pub mod proof;
pub mod sign_in;
pub mod sign_out;
pub mod upstream;
pub mod view;
mod weakness;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::protocol::{ErrorCode, OAuthError, Params, ResponseMode, redirect};

use self::view::{Chrome, Detail, FormPost, Message, Tone};
use super::form::{self, BadForm};
use super::layer::text;
use super::oauth::caller;
use super::reply::Cause;
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::answer::Reply;
use crate::rng;

/// The frame of every page, in the caller's language.
fn chrome(app: &App, caller: &Caller) -> Chrome {
    let institution = &app.config.institution;
    Chrome {
        institution: institution.name.clone(),
        help_phone: institution.help_phone.clone(),
        logo: institution
            .logo
            .as_ref()
            .map(|one| assets::logo_href("logo", one)),
        logo_dark: institution
            .logo_dark
            .as_ref()
            .map(|one| assets::logo_href("logo-dark", one)),
        css_href: assets::css_href(institution),
        reveal_href: assets::reveal_href(),
        keys_href: app.config.issuer.takes_passkeys().then(assets::keys_href),
        languages: institution.languages.clone(),
        say: caller.say(),
        here: caller.page.clone(),
        issuer: app.config.issuer.as_str().to_owned(),
    }
}

/// A page. `returns_to` is where a form on it may lead after a redirect: browsers apply
/// `form-action` to that too.
fn page(status: StatusCode, page: &impl Template, returns_to: Option<&str>) -> Response {
    rendered(status, page, returns_to, "script-src 'none'")
}

/// A page on which a password is typed, with the script that shows it.
fn page_with_password(status: StatusCode, page: &impl Template) -> Response {
    rendered(status, page, None, "script-src 'self'")
}

/// A page that asks for a passkey or a security key, with our scripts.
fn page_with_keys(status: StatusCode, page: &impl Template, returns_to: Option<&str>) -> Response {
    rendered(
        status,
        page,
        returns_to,
        "script-src 'self'; connect-src 'self'",
    )
}

fn rendered(
    status: StatusCode,
    page: &impl Template,
    returns_to: Option<&str>,
    scripts: &str,
) -> Response {
    let Ok(html) = page.render() else {
        tracing::error!("a page could not be rendered");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let target = returns_to
        .and_then(redirect::csp_source)
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; {scripts}; form-action 'self' {target}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// 303, so that no form is ever sent along (RFC 9700 §4.12).
#[must_use]
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Adds a `Set-Cookie`.
pub fn set_cookie(response: &mut Response, cookie: HeaderValue) {
    response.headers_mut().append(header::SET_COOKIE, cookie);
}

/// The answer to a client, on its way through the browser.
pub async fn answer(app: &App, caller: &Caller, reply: Reply) -> Response {
    let reply = match reply.sealed(app).await {
        Ok(reply) => reply,
        Err(fault) => return failed(app, caller, &fault),
    };
    match reply.return_to.response_mode {
        ResponseMode::Query | ResponseMode::QueryJwt => see_other(&with_query(&reply)),
        ResponseMode::FormPost | ResponseMode::FormPostJwt => form_post(app, caller, &reply),
    }
}

/// The redirect URI with the answer added to its query; what it had stays (RFC 6749 §3.1.2).
fn with_query(reply: &Reply) -> String {
    let uri = &reply.return_to.redirect_uri;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&reply.parameters);
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{}", query.finish())
}

fn form_post(app: &App, caller: &Caller, reply: &Reply) -> Response {
    let Ok(nonce) = rng::bytes::<16>().map(|bytes| STANDARD.encode(bytes)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let scripts = format!("script-src 'nonce-{nonce}'");
    let host = host_of(&reply.return_to.redirect_uri);
    let form = FormPost {
        chrome: &chrome(app, caller),
        action: reply.return_to.redirect_uri.clone(),
        fields: reply
            .parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        client_name: host,
        nonce,
    };
    rendered(
        StatusCode::OK,
        &form,
        Some(&reply.return_to.redirect_uri),
        &scripts,
    )
}

/// The host of a URI as people read it, with a port that is not the usual one.
fn host_of(uri: &str) -> String {
    let Ok(url) = url::Url::parse(uri) else {
        return uri.to_owned();
    };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => uri.to_owned(),
    }
}

/// Why a handler ends before its page.
pub enum Stop {
    /// Another page is shown instead.
    Shown(Box<Response>),
    /// The server failed; the layer around every request makes the page of it.
    Failed(Fault),
}

/// What a failed handler leaves in its response for [`unavailable`].
#[derive(Clone)]
pub struct Failed(pub String);

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Response> for Stop {
    fn from(page: Response) -> Self {
        Self::Shown(Box::new(page))
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Shown(page) => *page,
            Self::Failed(fault) => {
                let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
                response.extensions_mut().insert(Failed(fault.to_string()));
                response
            }
        }
    }
}

/// Reads the form of a page of ours. It must come from one of our pages: browsers say so in
/// `Sec-Fetch-Site`, older ones in `Origin`.
async fn own_form(app: &App, request: Request) -> Result<(HeaderMap, Params, Caller), Stop> {
    let caller = caller(&request);
    let headers = request.headers();
    let own = match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(site) => site == b"same-origin",
        None => text(headers, &header::ORIGIN).as_deref() == Some(app.config.issuer.as_str()),
    };
    if !own {
        let say = caller.say();
        let foreign = Notice {
            status: StatusCode::FORBIDDEN,
            heading: say.foreign_form(),
            what: say.foreign_form_what(),
            todo: Some(say.foreign_form_todo()),
            link: None,
        };
        return Err(foreign.show(app, &caller, None).into());
    }
    match form::read_page(request).await {
        Ok((headers, params)) => Ok((headers, params, caller)),
        Err(bad) => Err(bad_form(app, &caller, &bad).into()),
    }
}

/// The page for a form that cannot be read.
pub fn bad_form(app: &App, caller: &Caller, bad: &BadForm) -> Response {
    let say = caller.say();
    let (status, heading, what) = match bad {
        BadForm::Invalid(error) => return refused(app, caller, error),
        BadForm::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            say.too_large(),
            say.too_large_what(),
        ),
        BadForm::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            say.too_slow(),
            say.too_slow_what(),
        ),
    };
    Notice {
        status,
        heading,
        what,
        todo: None,
        link: None,
    }
    .show(app, caller, None)
}

/// A page that tells something.
struct Notice {
    status: StatusCode,
    heading: String,
    what: String,
    todo: Option<String>,
    /// A page of ours that it names: address and words.
    link: Option<(String, String)>,
}

impl Notice {
    fn show(self, app: &App, caller: &Caller, detail: Option<Detail>) -> Response {
        let message = Message {
            chrome: &chrome(app, caller),
            tone: Tone::Error,
            heading: self.heading,
            what: self.what,
            todo: self.todo,
            reference: Some(caller.request_id.clone()),
            link: self.link,
            detail,
        };
        page(self.status, &message, None)
    }
}

/// The page for a request that may not be answered to the client.
pub fn refused(app: &App, caller: &Caller, error: &OAuthError) -> Response {
    let say = caller.say();
    // A link that was opened before, or too late, is nobody's mistake.
    let notice = if error.code == ErrorCode::InvalidRequestUri {
        Notice {
            status: StatusCode::BAD_REQUEST,
            heading: say.link_over(),
            what: say.link_over_what(),
            todo: Some(say.link_over_todo()),
            link: None,
        }
    } else {
        Notice {
            status: StatusCode::BAD_REQUEST,
            heading: say.bad_request(),
            what: say.bad_request_what(),
            todo: Some(say.bad_request_todo()),
            link: None,
        }
    };
    let mut response = notice.show(app, caller, Some(Detail::explained(error)));
    let cause = Cause::Refused(error.clone());
    response.extensions_mut().insert(cause);
    response
}

/// The page for a failure of ours.
pub fn failed(app: &App, caller: &Caller, fault: &Fault) -> Response {
    unavailable(app, caller, &fault.to_string())
}

/// The same, with words for the log.
pub fn unavailable(app: &App, caller: &Caller, why: &str) -> Response {
    let say = caller.say();
    let mut response = Notice {
        status: StatusCode::SERVICE_UNAVAILABLE,
        heading: say.unavailable(),
        what: say.unavailable_what(),
        todo: Some(say.unavailable_todo()),
        link: None,
    }
    .show(app, caller, None);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    let cause = Cause::Failed(why.to_owned());
    response.extensions_mut().insert(cause);
    response
}

/// The page for a browser that asks too often.
pub fn too_many(app: &App, caller: &Caller, wait: Duration) -> Response {
    let say = caller.say();
    Notice {
        status: StatusCode::TOO_MANY_REQUESTS,
        heading: say.limits_title(),
        what: say.limits_what(),
        todo: Some(say.limits_todo(say.wait(wait))),
        link: None,
    }
    .show(app, caller, None)
}

/// The page for an interaction or ceremony that is over.
fn gone(app: &App, caller: &Caller) -> Response {
    let say = caller.say();
    Notice {
        status: StatusCode::GONE,
        heading: say.gone(),
        what: say.gone_what(),
        todo: Some(say.gone_todo()),
        link: None,
    }
    .show(app, caller, None)
}

/// The page for a request that reached this server under another name or scheme; `detail` tells the
/// operator what is wrong.
pub fn wrong_host(app: &App, caller: &Caller, detail: String) -> Response {
    let say = caller.say();
    let issuer = app.config.issuer.as_str();
    Notice {
        status: StatusCode::MISDIRECTED_REQUEST,
        heading: say.wrong_host(),
        what: say.wrong_host_what(issuer),
        todo: Some(say.wrong_host_todo()),
        link: Some((format!("{issuer}/account"), issuer.to_owned())),
    }
    .show(app, caller, Some(detail.into()))
}

/// The page for an address that is none.
pub async fn not_found(State(app): State<Arc<App>>, request: Request) -> Response {
    not_found_page(&app, &caller(&request))
}

fn not_found_page(app: &App, caller: &Caller) -> Response {
    let say = caller.say();
    Notice {
        status: StatusCode::NOT_FOUND,
        heading: say.not_found(),
        what: say.not_found_what(),
        todo: Some(say.not_found_todo()),
        link: Some(("/account".to_owned(), say.account_title())),
    }
    .show(app, caller, None)
}

/// Where a look answers a request, or ends in a session: what it spends is not undone by leaving out
/// the body, so the head alone is not to be had.
pub async fn no_head(app: State<Arc<App>>, request: Request) -> Response {
    let mut response = wrong_method(app, request).await;
    let right = HeaderValue::from_static("GET");
    response.headers_mut().insert(header::ALLOW, right);
    response
}

/// The page for a method that an address does not take.
pub async fn wrong_method(State(app): State<Arc<App>>, request: Request) -> Response {
    let caller = caller(&request);
    let say = caller.say();
    // What only takes forms is asked for by a link or a reload; the header Allow says it for the rest.
    let right = match *request.method() {
        Method::GET | Method::HEAD => "POST",
        Method::POST => "GET",
        _ => "GET or POST",
    };
    let detail = format!(
        "{} is not a method of this address; use {right} (the header Allow names its methods).",
        request.method()
    );
    Notice {
        status: StatusCode::METHOD_NOT_ALLOWED,
        heading: say.wrong_method(),
        what: say.wrong_method_what(),
        todo: Some(say.wrong_method_todo()),
        link: Some(("/account".to_owned(), say.account_title())),
    }
    .show(&app, &caller, Some(detail.into()))
}
