//! Signing out: on our own page, or because an app asks (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use rules::protocol::end_session::EndSessionRequest;
use rules::protocol::{OAuthError, Params};

use super::sign_in::held;
use super::view::{Asker, Detail, Message, SignOut, Tone};
use super::{Stop, bad_form, chrome, own_form, page, see_other, set_cookie};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::end_session::{Arrival, Next, NotEnded, end_session};
use crate::flows::sessions::{self, SignedIn};
use crate::http::cookies::{self, Cookies};
use crate::http::form::{self, BadForm};
use crate::http::oauth::caller;
use crate::http::reply::Cause;

/// Our own page, where anybody can sign out whatever an app did wrong.
const OWN: &str = "/sign-out";

/// `GET /sign-out`.
pub async fn ask_sign_out(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let headers = request.headers().clone();
    let Some(held) = held(&app, &headers).await? else {
        return Ok(signed_out(&app, &caller));
    };
    let asking = Asking {
        action: OWN,
        fields: Vec::new(),
        held: Some(&held),
        asker: Asker::Nobody,
        return_to: None,
    };
    Ok(asking.show(&app, &caller))
}

/// `POST /sign-out`.
pub async fn sign_out(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    if let Some(held) = held(&app, &headers).await? {
        sessions::end(&app, &held, held.session.id, &caller).await?;
    }
    Ok(forgetting(&app, &headers, signed_out(&app, &caller)))
}

/// `GET /end_session`.
pub async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let query = request.uri().query().unwrap_or_default();
    let params = match Params::parse(query.as_bytes()) {
        Ok(params) => params,
        Err(error) => return Ok(not_done(&app, &caller, &error)),
    };
    let headers = request.headers().clone();
    answer(&app, (&headers, &params), Arrival::Link, caller).await
}

/// `POST /end_session`. Browsers send our cookies with another site's link, not with its form: when
/// there are none, the person is asked by a page whose form is our own.
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let (headers, params) = match form::read(request).await {
        Ok(read) => read,
        Err(BadForm::Invalid(error)) => return Ok(not_done(&app, &caller, &error)),
        Err(bad) => return Ok(bad_form(&app, &caller, &bad)),
    };
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let arrival = match cookies.get(cookies::SESSION) {
        Some(_) => Arrival::Link,
        None => Arrival::ForeignForm,
    };
    answer(&app, (&headers, &params), arrival, caller).await
}

/// `POST /end_session/confirm`: she said yes on our page.
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    answer(&app, (&headers, &params), Arrival::Confirmed, caller).await
}

async fn answer(
    app: &App,
    (headers, params): (&HeaderMap, &Params),
    arrival: Arrival,
    caller: Caller,
) -> Result<Response, Stop> {
    let locales = params.get("ui_locales").unwrap_or_default();
    let locales: Vec<String> = locales.split_whitespace().map(str::to_owned).collect();
    let caller = caller.prefer(&locales, &app.config.institution.languages);
    let asked = EndSessionRequest::parse(params);
    let held = held(app, headers).await?;
    match end_session(app, &asked, held.as_ref(), arrival, &caller).await {
        Ok(Next::Ask {
            asked_by,
            return_to,
        }) => {
            let mut fields: Vec<(String, String)> = asked
                .fields()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            if !locales.is_empty() {
                fields.push(("ui_locales".to_owned(), locales.join(" ")));
            }
            let asking = Asking {
                action: "/end_session/confirm",
                fields,
                held: held.as_ref(),
                asker: asked_by.map_or(Asker::Somebody, |client| Asker::App(client.name.clone())),
                return_to,
            };
            Ok(asking.show(app, &caller))
        }
        Ok(Next::Done { return_to }) => {
            let response = match return_to {
                Some(uri) => see_other(&uri),
                None => signed_out(app, &caller),
            };
            Ok(forgetting(app, headers, response))
        }
        Err(NotEnded::Refused(error)) => Ok(not_done(app, &caller, &error)),
        Err(NotEnded::Fault(fault)) => Err(fault.into()),
    }
}

/// What the page asks, and for whom.
struct Asking<'a> {
    action: &'a str,
    fields: Vec<(String, String)>,
    held: Option<&'a SignedIn>,
    asker: Asker,
    return_to: Option<String>,
}

impl Asking<'_> {
    fn show(self, app: &App, caller: &Caller) -> Response {
        let mut chrome = chrome(app, caller);
        // Another language asks the same on our own page: the app's link may be too long to come
        // back to, and holds what need not be seen twice.
        OWN.clone_into(&mut chrome.here);
        let name = |held: &SignedIn| held.user.profile.display_name().to_owned();
        let ask = SignOut {
            chrome: &chrome,
            action: self.action.to_owned(),
            fields: self.fields,
            signed_in_as: self.held.map(name),
            asked_by: self.asker,
            stay_href: "/account".to_owned(),
        };
        page(StatusCode::OK, &ask, self.return_to.as_deref())
    }
}

pub(super) fn signed_out(app: &App, caller: &Caller) -> Response {
    let say = caller.say();
    let mut chrome = chrome(app, caller);
    OWN.clone_into(&mut chrome.here);
    let message = Message {
        chrome: &chrome,
        tone: Tone::Success,
        heading: say.signed_out(),
        what: say.signed_out_what(),
        todo: None,
        reference: None,
        link: Some(("/sign-in".to_owned(), say.signed_out_again())),
        detail: None,
    };
    page(StatusCode::OK, &message, None)
}

/// The page for a request that may not be carried out: nobody is redirected (§4), nothing ends.
fn not_done(app: &App, caller: &Caller, error: &OAuthError) -> Response {
    let say = caller.say();
    let message = Message {
        chrome: &chrome(app, caller),
        tone: Tone::Error,
        heading: say.logout_failed(),
        what: say.logout_failed_what(),
        todo: Some(say.logout_failed_todo()),
        reference: Some(caller.request_id.clone()),
        link: Some((OWN.to_owned(), say.sign_out())),
        detail: Some(Detail::explained(error)),
    };
    let mut response = page(StatusCode::BAD_REQUEST, &message, None);
    let cause = Cause::Refused(error.clone());
    response.extensions_mut().insert(cause);
    response
}

fn forgetting(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    let cookies = Cookies::of(headers, &app.config.issuer);
    set_cookie(&mut response, cookies.forget(cookies::SESSION));
    response
}
