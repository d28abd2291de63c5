//! Passkeys and security keys: adding, naming and removing them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rules::identity::KeyKind;
use uuid::Uuid;

use super::proved::Form;
use super::{address, at_account, filled, typed};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::passkeys::{self as flow, Added, Listed, Why};
use crate::flows::sessions::SignedIn;
use crate::http::oauth::caller;
use crate::http::pages::view::{AddPasskey, NewPasskey, OnePasskey, Problem};
use crate::http::pages::{Stop, chrome, not_found_page, own_form, page_with_keys, see_other};
use crate::secret::Secret;
use crate::words::Words;

const ADD: &str = "/account/passkeys/add";
const NEW: &str = "/account/passkeys/new";

/// `GET /account/passkeys/add`: what it is for, and a fresh proof.
pub async fn show_add(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    at_account(&app, request.headers(), address(&request)).await?;
    let kind = filled(&request, "kind").and_then(|kind| KeyKind::parse(&kind));
    let name = filled(&request, "name").unwrap_or_default();
    Ok(add(&app, &caller, (kind, &name), StatusCode::OK, None))
}

/// `POST /account/passkeys/add`.
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let name = params.get("name").unwrap_or_default();
    let kind = params.get("kind").unwrap_or_default();
    let here = typed(ADD, &[("kind", kind), ("name", name)]);
    let held = at_account(&app, &headers, &here).await?;
    let kind = KeyKind::parse(kind);
    let form = Form {
        app: &app,
        caller: &caller,
        headers: &headers,
        show: |status, problem| add(&app, &caller, (kind, name), status, Some(problem)),
    };
    let Some(kind) = kind else {
        return Ok(form.fill_in());
    };
    let proved = flow::begin(&app, form.fresh(&params, held)?, (kind, name)).await?;
    Ok(form.conclude(proved, |begun| match begun {
        Ok(()) => see_other(NEW),
        Err(why) => explain(&form, why),
    }))
}

/// `GET /account/passkeys/new`: the device makes it.
pub async fn show_new(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
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
    let why = match flow::finish(&app, &held, &answer, &caller).await? {
        Added::Done => return Ok(see_other("/account?passkey")),
        Added::Gone => caller.say().passkey_late(),
        Added::NotTaken => caller.say().passkey_not_taken(),
    };
    let again = (StatusCode::BAD_REQUEST, Some(Problem::of(why)));
    Ok(add(&app, &caller, (None, ""), again.0, again.1))
}

/// `GET /account/passkeys/{id}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let here = (request.headers(), address(&request));
    let (_, key) = hers(&app, here, &id, &caller).await?;
    let name = filled(&request, "name").unwrap_or_else(|| key.name.clone());
    Ok(one(&app, &caller, (&key, &name), StatusCode::OK, None))
}

/// `POST /account/passkeys/{id}/rename`.
pub async fn rename(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let name = params.get("name").unwrap_or_default();
    let here = typed(&format!("/account/passkeys/{id}"), &[("name", name)]);
    let (held, key) = hers(&app, (&headers, &here), &id, &caller).await?;
    if flow::rename(&app, &held, (key.id, name), &caller).await? {
        return Ok(see_other("/account?renamed"));
    }
    let problem = Problem::of(caller.say().passkey_name_missing())
        .field("name", caller.say().passkey_name_missing());
    Ok(one(
        &app,
        &caller,
        (&key, &key.name),
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
    let here = format!("/account/passkeys/{id}");
    let (held, key) = hers(&app, (&headers, &here), &id, &caller).await?;
    let form = Form {
        app: &app,
        caller: &caller,
        headers: &headers,
        show: |status, problem| one(&app, &caller, (&key, &key.name), status, Some(problem)),
    };
    let proved = flow::remove(&app, form.fresh(&params, held)?, key.id).await?;
    Ok(form.conclude(proved, |removed| match removed {
        Ok(()) => see_other("/account?removed"),
        Err(Why::Gone) => see_other("/account"),
        Err(why) => explain(&form, why),
    }))
}

/// The page again: why something cannot be done, and what to do.
fn explain(form: &Form<'_, impl Fn(StatusCode, Problem) -> Response>, why: Why) -> Response {
    let say = form.caller.say();
    let (status, text) = match why {
        Why::LastOne => (StatusCode::CONFLICT, say.passkey_last_one()),
        Why::TooMany | Why::Gone => (StatusCode::BAD_REQUEST, say.passkey_too_many()),
    };
    (form.show)(status, Problem::of(text))
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
    (headers, here): (&axum::http::HeaderMap, &str),
    id: &str,
    caller: &Caller,
) -> Result<(SignedIn, Listed), Stop> {
    let held = at_account(app, headers, here).await?;
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
    (kind, name): (Option<KeyKind>, &str),
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let view = AddPasskey {
        chrome: &chrome(app, caller),
        action: ADD.to_owned(),
        security_key: kind == Some(KeyKind::SecurityKey),
        name: name.to_owned(),
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}

fn one(
    app: &App,
    caller: &Caller,
    (key, name): (&Listed, &str),
    status: StatusCode,
    problem: Option<Problem>,
) -> Response {
    let say = caller.say();
    let view = OnePasskey {
        chrome: &chrome(app, caller),
        label: label(say, key),
        detail: detail(say, key),
        name: name.to_owned(),
        rename_action: format!("/account/passkeys/{}/rename", key.id),
        remove_action: format!("/account/passkeys/{}/remove", key.id),
        problem,
        back_href: "/account".to_owned(),
    };
    page_with_keys(status, &view, None)
}
