//! An app's request on its way: sign-in, consent, the answer.

use std::sync::Arc;

use axum::RequestExt as _;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue};
use axum::response::Response;
use rules::protocol::{AuthorizeRequest, Client, Params};

use super::asking::ask;
use super::proof::presented;
use super::sign_in::{Again, Attempt, Form, attempt, form, held, refusal, signed_in};
use super::view::{Problem, StepUp};
use super::{
    Stop, answer, choose, chrome, failed, gone, own_form, page_with_keys, see_other, set_cookie,
    upstream,
};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::authorize::{self, Step};
use crate::flows::consent::{self, Answered, Decision};
use crate::flows::fit::name_to_fill_in;
use crate::flows::sessions::{self, SignedIn};
use crate::flows::sign_in::Way;
use crate::flows::step_up::{self, Stepped};
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;

/// `GET /interaction/{id}`: the current step.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let headers = request.headers().clone();
    let asked_for = request.uri().clone();
    let Some(token) = token(&app, &id, &headers) else {
        return Ok(gone(&app, &caller));
    };
    let signed_in = signed_in(&app, &headers).await?;
    let next = authorize::next_step(&app, &id, &token, signed_in.as_ref(), &caller).await?;
    Ok(match (next, &signed_in) {
        (Step::Gone, _) => gone(&app, &caller),
        (Step::SignIn { client, request }, _) => {
            let held = held(&app, &headers).await?;
            let caller = caller.prefer(&request.ui_locales, &app.config.institution.languages);
            let shown = sign_in_form(&app, &id, (&client, &request), held.as_ref());
            if let Some(again) = upstream::trouble(&app, &caller, &asked_for) {
                return Ok(again.show(&app, &caller, &shown, ""));
            }
            form(&app, &caller, &shown, StatusCode::OK, None)
        }
        (Step::Choose { client, request }, Some(signed_in)) => {
            let caller = caller.prefer(&request.ui_locales, &app.config.institution.languages);
            choose::ask(&app, &caller, &id, (&client, &request), signed_in)
        }
        (
            Step::Consent {
                client,
                request,
                granted,
            },
            Some(signed_in),
        ) => ask(
            &app,
            &caller.prefer(&request.ui_locales, &app.config.institution.languages),
            &id,
            (&client, &request),
            (granted.as_ref(), signed_in),
        ),
        (Step::StepUp { client, request }, Some(signed_in)) => {
            let caller = caller.prefer(&request.ui_locales, &app.config.institution.languages);
            let wanted = (&*client, &request, step_up::takes_keys(signed_in));
            ask_more(&app, &caller, &id, wanted, None)
        }
        (Step::Consent { .. } | Step::Choose { .. } | Step::StepUp { .. }, None) => {
            see_other(&format!("/interaction/{id}"))
        }
        (Step::Reply(reply), _) => {
            finished(&app, &id, &headers, answer(&app, &caller, reply).await)
        }
    })
}

/// A form of one of our pages about an interaction that this browser holds. Another site's form, and
/// one about an interaction that the browser does not hold, get a page of their own.
pub struct Held {
    /// The interaction.
    pub(super) id: String,
    /// The browser's hold on it.
    pub(super) token: String,
    pub(super) headers: HeaderMap,
    pub(super) params: Params,
    pub(super) caller: Caller,
}

impl FromRequest<Arc<App>> for Held {
    type Rejection = Stop;

    async fn from_request(mut request: Request, app: &Arc<App>) -> Result<Self, Stop> {
        let named = request.extract_parts::<Path<String>>().await;
        let (headers, params, caller) = own_form(app, request).await?;
        let Ok(Path(id)) = named else {
            return Err(gone(app, &caller).into());
        };
        let Some(token) = token(app, &id, &headers) else {
            return Err(gone(app, &caller).into());
        };
        Ok(Self {
            id,
            token,
            headers,
            params,
            caller,
        })
    }
}

/// `POST /interaction/{id}/sign-in`.
pub async fn sign_in(State(app): State<Arc<App>>, form: Held) -> Result<Response, Stop> {
    let Held {
        id,
        token,
        headers,
        params,
        caller,
    } = form;
    // The interaction must be alive before anything about a person is looked at.
    let Some((client, asked)) = authorize::look(&app, &id, &token).await? else {
        return Ok(gone(&app, &caller));
    };
    let (session, cookies) = match attempt(&app, &headers, &params, &caller).await? {
        Attempt::SignedIn { session, cookies } => (session, cookies),
        Attempt::Again(again) => {
            let shown = sign_in_form(&app, &id, (&client, &asked), None);
            let caller = caller.prefer(&asked.ui_locales, &app.config.institution.languages);
            let typed = params.get("username").unwrap_or_default();
            return Ok(again.show(&app, &caller, &shown, typed));
        }
    };
    Ok(on(&app, &id, (session, cookies), &caller).await)
}

/// On to the next step, with somebody who signed in for it.
pub(super) async fn on(
    app: &App,
    id: &str,
    (session, cookies): (uuid::Uuid, Vec<HeaderValue>),
    caller: &Caller,
) -> Response {
    // She is signed in whatever comes now, so the cookies leave in any case.
    let mut response = match authorize::signed_in(app, id, session).await {
        Ok(()) => see_other(&format!("/interaction/{id}")),
        Err(fault) => failed(app, caller, &fault),
    };
    for cookie in cookies {
        set_cookie(&mut response, cookie);
    }
    response
}

/// `POST /interaction/{id}/step-up`: the missing factor alone.
pub async fn step_up(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(token) = token(&app, &id, &headers) else {
        return Ok(gone(&app, &caller));
    };
    let Some((client, asked)) = authorize::look(&app, &id, &token).await? else {
        return Ok(gone(&app, &caller));
    };
    let back = format!("/interaction/{id}");
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other(&back));
    };
    let takes_keys = step_up::takes_keys(&held);
    let mut way = Way::Passkey;
    let stepped = match &presented(&app, &headers, &params) {
        Some(presented) => {
            if presented.is_late(app.clock.now()) {
                way = Way::Late;
            }
            let wanted = (&*client, &asked);
            step_up::step_up(&app, held, presented, wanted, &caller).await?
        }
        None => Stepped::Refused,
    };
    let caller = caller.prefer(&asked.ui_locales, &app.config.institution.languages);
    let say = caller.say();
    let again = match stepped {
        Stepped::Done(session) => Ok(session),
        Stepped::Refused => Err(refusal(say, way)),
        Stepped::Blocked { until } => Err(Again::blocked(&app, say, until)),
    };
    let session = match again {
        Ok(session) => session,
        Err(again) => {
            let wanted = (&*client, &asked, takes_keys);
            return Ok(again.page(|status, problem| {
                ask_more(&app, &caller, &id, wanted, Some((status, problem)))
            }));
        }
    };
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let mut response = see_other(&back);
    set_cookie(
        &mut response,
        cookies.set(cookies::SESSION, session.expose(), None),
    );
    Ok(response)
}

/// The page that asks for a passkey or a security key, and for nothing else.
fn ask_more(
    app: &App,
    caller: &Caller,
    id: &str,
    (client, request, takes_keys): (&Client, &AuthorizeRequest, bool),
    problem: Option<(StatusCode, Problem)>,
) -> Response {
    let (status, problem) = match problem {
        Some((status, problem)) => (status, Some(problem)),
        None => (StatusCode::OK, None),
    };
    let view = StepUp {
        chrome: &chrome(app, caller),
        client_name: client.name.clone(),
        passkey_action: format!("/interaction/{id}/sign-in"),
        key_action: takes_keys.then(|| format!("/interaction/{id}/step-up")),
        cancel_action: format!("/interaction/{id}/cancel"),
        account_href: "/account/passkeys/add".to_owned(),
        problem,
    };
    page_with_keys(status, &view, Some(&request.return_to.redirect_uri))
}

/// `POST /interaction/{id}/consent`. Anything but a clear yes is a no.
pub async fn consent(State(app): State<Arc<App>>, form: Held) -> Result<Response, Stop> {
    let decision = match form.params.get("decision") {
        Some("allow") => Decision::Allow {
            ticked: form
                .params
                .all("scope")
                .iter()
                .map(String::as_str)
                .collect(),
        },
        _ => Decision::Deny,
    };
    let signed_in = signed_in(&app, &form.headers).await?;
    let held = (form.id.as_str(), form.token.as_str());
    let caller = &form.caller;
    let answered = consent::answer(&app, held, signed_in.as_ref(), decision, caller).await?;
    Ok(conclude(&app, &form, answered).await)
}

/// `POST /interaction/{id}/cancel`: back to the app, with nothing.
pub async fn cancel(State(app): State<Arc<App>>, form: Held) -> Result<Response, Stop> {
    let signed_in = signed_in(&app, &form.headers).await?;
    let held = (form.id.as_str(), form.token.as_str());
    let answered = consent::cancel(&app, held, signed_in.as_ref(), &form.caller).await?;
    Ok(conclude(&app, &form, answered).await)
}

/// `POST /interaction/{id}/switch`: she is somebody else, and signs in as herself.
pub async fn switch(State(app): State<Arc<App>>, form: Held) -> Result<Response, Stop> {
    if let Some(held) = held(&app, &form.headers).await? {
        sessions::end(&app, &held, held.session.id, &form.caller).await?;
    }
    let mut response = see_other(&format!("/interaction/{}", form.id));
    let cookies = Cookies::of(&form.headers, &app.config.issuer);
    set_cookie(&mut response, cookies.forget(cookies::SESSION));
    Ok(response)
}

async fn conclude(app: &App, form: &Held, answered: Answered) -> Response {
    let (id, caller) = (&form.id, &form.caller);
    match answered {
        Answered::Reply(reply) => {
            finished(app, id, &form.headers, answer(app, caller, reply).await)
        }
        Answered::ShowAgain => see_other(&format!("/interaction/{id}")),
        Answered::Gone => gone(app, caller),
    }
}

/// The browser lets go of an interaction that has ended.
fn finished(app: &App, id: &str, headers: &HeaderMap, mut response: Response) -> Response {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let name = format!("{}{id}", cookies::INTERACTION);
    set_cookie(&mut response, cookies.forget(&name));
    response
}

/// The browser's hold on an interaction.
pub(super) fn token(app: &App, id: &str, headers: &HeaderMap) -> Option<String> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let name = format!("{}{id}", cookies::INTERACTION);
    cookies.get(&name).map(str::to_owned)
}

fn sign_in_form(
    app: &App,
    id: &str,
    (client, request): (&Client, &AuthorizeRequest),
    held: Option<&SignedIn>,
) -> Form {
    let name = name_to_fill_in(app, client, request, held);
    let returns_to = &request.return_to.redirect_uri;
    Form::for_app(id, &client.name, returns_to, name.as_deref())
}
