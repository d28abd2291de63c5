//! `GET` and `POST /authorize` (RFC 6749 §3.1).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::Response;
use rules::protocol::Params;
use rules::protocol::params::Flaw;

use super::caller;
use crate::app::App;
use crate::config::Lifetimes;
use crate::flows::Caller;
use crate::flows::authorize::{self, Begun, NotBegun};
use crate::flows::sessions;
use crate::http::cookies::{self, Cookies};
use crate::http::form;
use crate::http::pages;

/// With the parameters in the query.
pub async fn get(State(app): State<Arc<App>>, request: Request) -> Response {
    let caller = caller(&request);
    let query = request.uri().query().unwrap_or_default();
    match Params::parse_each(query.as_bytes()) {
        Ok((params, flaws)) => begin(&app, (&params, flaws), request.headers(), &caller).await,
        Err(error) => pages::refused(&app, &caller, &error),
    }
}

/// Never the head alone; see [`pages::no_head`].
pub async fn head(app: State<Arc<App>>, request: Request) -> Response {
    let mut response = pages::no_head(app, request).await;
    let right = HeaderValue::from_static("GET, POST");
    response.headers_mut().insert(header::ALLOW, right);
    response
}

/// With the parameters in the form (OpenID Connect Core §3.1.2.1).
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    let caller = caller(&request);
    match form::read_each(request).await {
        Ok((headers, params, flaws)) => begin(&app, (&params, flaws), &headers, &caller).await,
        Err(bad) => pages::bad_form(&app, &caller, &bad),
    }
}

async fn begin(
    app: &Arc<App>,
    asked: (&Params, Vec<Flaw>),
    headers: &HeaderMap,
    caller: &Caller,
) -> Response {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let signed_in = match sessions::current(app, cookies.get(cookies::SESSION)).await {
        Ok(signed_in) => signed_in,
        Err(fault) => return pages::failed(app, caller, &fault),
    };
    match authorize::begin(app, asked, signed_in.as_ref(), caller).await {
        Ok(Begun::Reply(reply)) => pages::answer(app, caller, reply).await,
        Ok(Begun::Interaction { id, token }) => {
            let name = format!("{}{id}", cookies::INTERACTION);
            let mut response = pages::see_other(&format!("/interaction/{id}"));
            let lifetime = Some(Lifetimes::INTERACTION);
            pages::set_cookie(&mut response, cookies.set(&name, token.expose(), lifetime));
            for forget in cookies.forget_surplus() {
                pages::set_cookie(&mut response, forget);
            }
            response
        }
        Err(NotBegun::Page(error)) => {
            let mut response = pages::refused(app, caller, &error);
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
        Err(NotBegun::Fault(fault)) => pages::failed(app, caller, &fault),
    }
}
