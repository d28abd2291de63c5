//! Passkeys and security keys: adding, naming and removing them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rules::identity::KeyKind;
use uuid::Uuid;

use super::password::renewed;
use super::{at_account, proof};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::passkeys::{self as flow, Added, Listed, Proved, Why};
use crate::flows::sessions::SignedIn;
use crate::flows::sign_in::Evidence;
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::pages::sign_in::{Again, refused_passkey};
use crate::http::pages::view::{AddPasskey, NewPasskey, OnePasskey, Problem};
use crate::http::pages::{Stop, chrome, not_found_page, own_form, page_with_keys, see_other};
use crate::secret::Secret;
use crate::words::Words;

const ADD: &str = "/account/passkeys/add";
const NEW: &str = "/account/passkeys/new";

/// `GET /account/passkeys/add`: what it is for, and a fresh proof.
pub async fn show_add(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    at_account(&app, request.headers(), ADD).await?;
    Ok(add(&app, &caller, "", StatusCode::OK, None))
}

/// `POST /account/passkeys/add`.
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, ADD).await?;
    let say = caller.say();
    let name = params.get("name").unwrap_or_default().to_owned();
    let again = |again: Again| {
        Ok(again.page(|status, problem| add(&app, &caller, &name, status, Some(problem))))
    };
    let kind = params.get("kind").and_then(KeyKind::parse);
    let evidence = proof(&app, &headers, &params, &held);
    let (Some(kind), Some(evidence)) = (kind, evidence) else {
        return again(Again::of(Problem::of(say.account_fill_in())));
    };
    let by_passkey = matches!(evidence, Evidence::Passkey(_));
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let given = (evidence, cookies.get(cookies::DEVICE));
    match flow::begin(&app, held, given, (kind, &name), &caller).await? {
        Proved::Done(token) => Ok(renewed(&app, &headers, &token, NEW)),
        Proved::Not(token, why) => {
            let (status, text) = explain(say, why);
            let mut response = add(&app, &caller, &name, status, Some(Problem::of(text)));
            super::set_cookie(
                &mut response,
                cookies.set(cookies::SESSION, token.expose(), None),
            );
            Ok(response)
        }
        Proved::SignedOut => Ok(see_other("/sign-in")),
        Proved::Refused if by_passkey => again(refused_passkey(say)),
        Proved::Refused => again(Again::of(Problem::of(say.sign_in_refused()))),
        Proved::Blocked { until } => again(Again::blocked(&app, say, until)),
    }
}

/// `GET /account/passkeys/new`: the device makes it.
pub async fn show_new(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), NEW).await?;
    let Some(waiting) = flow::waiting(&app, &held).await? else {
        return Ok(see_other(ADD));
    };
    let view = NewPasskey {
        chrome: &chrome(&app, &caller),
        action: NEW.to_owned(),
        security_key: waiting.kind == KeyKind::SecurityKey,
        options: waiting.options.to_string(),
        back_href: "/account".to_owned(),
    };
    Ok(page_with_keys(StatusCode::OK, &view, None))
}

/// `POST /account/passkeys/new`: what it made is bound.
pub async fn finish(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, NEW).await?;
    let answer = Secret::new(params.get("credential").unwrap_or_default().to_owned());
    Ok(match flow::finish(&app, &held, &answer, &caller).await? {
        Added::Done => see_other("/account?passkey"),
        Added::Gone => see_other(ADD),
        Added::NotTaken => {
            let problem = Problem::of(caller.say().passkey_not_taken());
            add(&app, &caller, "", StatusCode::BAD_REQUEST, Some(problem))
        }
    })
}

/// `GET /account/passkeys/{id}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let (held, key) = hers(&app, request.headers(), &id, &caller).await?;
    drop(held);
    Ok(one(&app, &caller, &key, StatusCode::OK, None))
}

/// `POST /account/passkeys/{id}/rename`.
pub async fn rename(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let (held, key) = hers(&app, &headers, &id, &caller).await?;
    let name = params.get("name").unwrap_or_default();
    if flow::rename(&app, &held, (key.id, name), &caller).await? {
        return Ok(see_other("/account?renamed"));
    }
    let problem = Problem::of(caller.say().passkey_name_missing())
        .field("name", caller.say().passkey_name_missing());
    Ok(one(
        &app,
        &caller,
        &key,
        StatusCode::BAD_REQUEST,
        Some(problem),
    ))
}

/// `POST /account/passkeys/{id}/remove`: after a fresh proof, and never the last strong factor.
pub async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let (held, key) = hers(&app, &headers, &id, &caller).await?;
    let say = caller.say();
    let again = |again: Again| {
        Ok(again.page(|status, problem| one(&app, &caller, &key, status, Some(problem))))
    };
    let Some(evidence) = proof(&app, &headers, &params, &held) else {
        return again(Again::of(Problem::of(say.account_fill_in())));
    };
    let by_passkey = matches!(evidence, Evidence::Passkey(_));
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let given = (evidence, cookies.get(cookies::DEVICE));
    match flow::remove(&app, held, given, key.id, &caller).await? {
        Proved::Done(token) => Ok(renewed(&app, &headers, &token, "/account?removed")),
        Proved::Not(token, Why::Gone) => Ok(renewed(&app, &headers, &token, "/account")),
        Proved::Not(token, why) => {
            let (status, text) = explain(say, why);
            let mut response = one(&app, &caller, &key, status, Some(Problem::of(text)));
            super::set_cookie(
                &mut response,
                cookies.set(cookies::SESSION, token.expose(), None),
            );
            Ok(response)
        }
        Proved::SignedOut => Ok(see_other("/sign-in")),
        Proved::Refused if by_passkey => again(refused_passkey(say)),
        Proved::Refused => again(Again::of(Problem::of(say.sign_in_refused()))),
        Proved::Blocked { until } => again(Again::blocked(&app, say, until)),
    }
}

/// Why something cannot be done, and what to do.
fn explain(say: Words, why: Why) -> (StatusCode, String) {
    match why {
        Why::LastOne => (StatusCode::CONFLICT, say.passkey_last_one()),
        Why::Weaker => (StatusCode::FORBIDDEN, say.passkey_weaker()),
        Why::TooMany | Why::Gone => (StatusCode::BAD_REQUEST, say.passkey_too_many()),
    }
}

/// What a key is called: by her, or by its kind.
pub(super) fn label(say: Words, key: &Listed) -> String {
    match (key.name.as_str(), key.kind) {
        ("", KeyKind::Passkey) => say.passkey_kind_passkey(),
        ("", KeyKind::SecurityKey) => say.passkey_kind_key(),
        (name, _) => name.to_owned(),
    }
}

/// What is known of a key, on one line.
pub(super) fn detail(say: Words, key: &Listed) -> String {
    let kind = match key.kind {
        KeyKind::Passkey => say.passkey_kind_passkey(),
        KeyKind::SecurityKey => say.passkey_kind_key(),
    };
    let used = match key.used_at {
        Some(used) => say.account_app_used(say.date(key.created_at), say.date(used)),
        None => say.account_app_since(say.date(key.created_at)),
    };
    let model = flow::model(key).filter(|model| *model != key.name);
    let mut parts = vec![kind];
    parts.extend(model.map(str::to_owned));
    parts.push(used);
    if key.blocked {
        parts.push(say.passkey_blocked());
    }
    parts.join(" · ")
}

/// Her session, and the key of hers with this identifier.
async fn hers(
    app: &App,
    headers: &axum::http::HeaderMap,
    id: &str,
    caller: &Caller,
) -> Result<(SignedIn, Listed), Stop> {
    let here = format!("/account/passkeys/{id}");
    let held = at_account(app, headers, &here).await?;
    let wanted = Uuid::try_parse(id).ok();
    let keys = flow::list(app, &held).await?;
    match keys.into_iter().find(|key| Some(key.id) == wanted) {
        Some(key) => Ok((held, key)),
        None => Err(not_found_page(app, caller).into()),
    }
}

fn add(
    app: &App,
    caller: &Caller,
    name: &str,
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let view = AddPasskey {
        chrome: &chrome(app, caller),
        action: ADD.to_owned(),
        name: name.to_owned(),
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}

fn one(
    app: &App,
    caller: &Caller,
    key: &Listed,
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let say = caller.say();
    let view = OnePasskey {
        chrome: &chrome(app, caller),
        label: label(say, key),
        detail: detail(say, key),
        name: key.name.clone(),
        rename_action: format!("/account/passkeys/{}/rename", key.id),
        remove_action: format!("/account/passkeys/{}/remove", key.id),
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}
