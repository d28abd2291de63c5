//! People's pages, one file a journey, and the pages that every journey shares.

pub mod account;
pub mod activate;
pub mod assets;
pub mod errors;
pub mod health;
pub mod interaction;
pub mod language;
pub mod sign_in;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::protocol::{OAuthError, Params, ResponseMode, redirect};

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
    Chrome {
        institution: app.config.institution.name.clone(),
        help_phone: app.config.institution.help_phone.clone(),
        css_href: assets::css_href(),
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
pub fn answer(app: &App, caller: &Caller, reply: &Reply) -> Response {
    match reply.return_to.response_mode {
        ResponseMode::Query => see_other(&with_query(reply)),
        ResponseMode::FormPost => form_post(app, caller, reply),
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
        let foreign = Notice {
            status: StatusCode::FORBIDDEN,
            heading: "This form came from somewhere else",
            what: "We accept this only from our own page, and nothing was changed.",
            todo: Some("Open the page again from our address and repeat what you did."),
        };
        return Err(foreign.show(app, &caller, None).into());
    }
    match form::read_page(request).await {
        Ok((headers, params)) => Ok((headers, params, caller)),
        Err(BadForm::TooLarge) => Err(too_large(app, &caller).into()),
        Err(BadForm::Invalid(error)) => Err(refused(app, &caller, &error).into()),
    }
}

/// A page that tells something.
struct Notice<'a> {
    status: StatusCode,
    heading: &'a str,
    what: &'a str,
    todo: Option<&'a str>,
}

impl Notice<'_> {
    fn show(self, app: &App, caller: &Caller, detail: Option<Detail>) -> Response {
        let message = Message {
            chrome: &chrome(app, caller),
            tone: Tone::Error,
            heading: self.heading.to_owned(),
            what: self.what.to_owned(),
            todo: self.todo.map(str::to_owned),
            reference: Some(caller.request_id.clone()),
            link: None,
            detail,
        };
        page(self.status, &message, None)
    }
}

/// The page for a request that may not be answered to the client.
pub fn refused(app: &App, caller: &Caller, error: &OAuthError) -> Response {
    let mut response = Notice {
        status: StatusCode::BAD_REQUEST,
        heading: "This link does not work",
        what: "The app that sent you here made a mistake, so we stopped. Nothing was shared.",
        todo: Some(
            "Go back to the app and start again. If it happens again, tell the app’s makers.",
        ),
    }
    .show(app, caller, Some(Detail::explained(error)));
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
    let mut response = Notice {
        status: StatusCode::SERVICE_UNAVAILABLE,
        heading: "We can’t do this right now",
        what: "This is our fault, and nothing was changed.",
        todo: Some("Please try again in a few minutes."),
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
        heading: &say.limits_title(),
        what: &say.limits_what(),
        todo: Some(&say.limits_todo(say.wait(wait))),
    }
    .show(app, caller, None)
}

/// The page for a body that is too large.
pub fn too_large(app: &App, caller: &Caller) -> Response {
    Notice {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        heading: "That was too much",
        what: "More was sent than we accept (64 KiB), so we stopped.",
        todo: None,
    }
    .show(app, caller, None)
}

/// The page for an interaction or ceremony that is over.
fn gone(app: &App, caller: &Caller) -> Response {
    Notice {
        status: StatusCode::GONE,
        heading: "This page waited too long",
        what: "It was already answered, or its time is over. Nothing more was shared or paid.",
        todo: Some("Go back to where you came from and start again."),
    }
    .show(app, caller, None)
}

/// The page for a request that reached this server under another name.
pub fn wrong_host(app: &App, caller: &Caller) -> Response {
    let issuer = app.config.issuer.as_str();
    let what =
        format!("This server answers as {issuer} only, and was asked for under another name.");
    Notice {
        status: StatusCode::MISDIRECTED_REQUEST,
        heading: "Wrong address",
        what: &what,
        todo: Some("Check the address in your browser."),
    }
    .show(
        app,
        caller,
        Some(format!(
            "The Host header must be {}. Behind a proxy, pass it on unchanged; or set issuer to the \
             public address.",
            app.config.issuer.authority()
        )
.into()),
    )
}

/// The page for an address that is none.
pub async fn not_found(State(app): State<Arc<App>>, request: Request) -> Response {
    Notice {
        status: StatusCode::NOT_FOUND,
        heading: "There is no such page",
        what: "The address may be mistyped or old.",
        todo: Some("Check the address, or start at your account page."),
    }
    .show(&app, &caller(&request), None)
}

/// The page for a method that an address does not take.
pub async fn wrong_method(State(app): State<Arc<App>>, request: Request) -> Response {
    let detail = format!("{} is not a method of this address.", request.method());
    Notice {
        status: StatusCode::METHOD_NOT_ALLOWED,
        heading: "That cannot be done here",
        what: "This address was asked for something it does not do. Nothing was changed.",
        todo: None,
    }
    .show(&app, &caller(&request), Some(detail.into()))
}
