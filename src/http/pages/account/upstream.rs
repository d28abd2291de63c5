//! What a person has at the institution's own provider: linked after a fresh proof, and unlinked.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::proved::Ask;
use super::{address, at_account};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::sessions::SignedIn;
use crate::flows::upstream as flow;
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::pages::upstream::{hold, name, trouble};
use crate::http::pages::view::{Message, Tone, WayIn};
use crate::http::pages::{Stop, chrome, not_found_page, own_form, page, see_other};
use crate::words::Words;

const HERE: &str = "/account/upstream";

/// The row of the account page; none without a provider.
pub(super) async fn way(
    app: &App,
    caller: &Caller,
    held: &SignedIn,
) -> Result<Option<WayIn>, Fault> {
    let Some(name) = name(app, caller) else {
        return Ok(None);
    };
    let say = caller.say();
    let (detail, words) = match flow::linked(app, held).await? {
        None => (say.upstream_account_not(), say.upstream_account_link()),
        Some(link) => (
            match (say.date(link.created_at), link.used_at) {
                (since, Some(used)) => say.account_app_used(since, say.date(used)),
                (since, None) => say.account_app_since(since),
            },
            say.upstream_account_manage(),
        ),
    };
    Ok(Some(WayIn {
        label: say.upstream_account(name),
        detail: Some(detail),
        link: Some((HERE.to_owned(), words)),
    }))
}

/// `GET /account/upstream`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let name = provider(&app, &caller)?;
    let ask = match flow::linked(&app, &held).await? {
        Some(_) => to_unlink(caller.say(), &name),
        None => to_link(caller.say(), &name),
    };
    Ok(match trouble(&app, &caller, request.uri()) {
        Some(again) => {
            again.page(|status, problem| ask.show((&app, &caller), status, Some(problem)))
        }
        None => ask.show((&app, &caller), StatusCode::OK, None),
    })
}

/// `POST /account/upstream/link`: a fresh proof, and then on to the provider.
pub async fn link(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let (say, name) = (caller.say(), provider(&app, &caller)?);
    let form = to_link(say, &name).form((&app, &caller), &headers);
    let fresh = form.fresh(&params, held)?;
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let holder = cookies.get(cookies::CEREMONY);
    let proved = match flow::begin_link(&app, fresh, holder).await? {
        Ok(proved) => proved,
        Err(trouble) => {
            return Ok(see_other(&format!("{HERE}?upstream={}", trouble.as_str())));
        }
    };
    Ok(form.conclude(proved, |sent| {
        // A link, because what a form leads to may not be another site.
        let view = Message {
            chrome: &chrome(&app, &caller),
            tone: Tone::Info,
            heading: say.upstream_account(&name),
            what: say.upstream_link_then(&name),
            todo: None,
            reference: None,
            link: Some((sent.url.clone(), say.upstream_link_go(&name))),
            detail: None,
        };
        let mut response = page(StatusCode::OK, &view, None);
        hold(&mut response, &cookies, &sent);
        response
    }))
}

/// `POST /account/upstream/unlink`.
pub async fn unlink(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, HERE).await?;
    let name = provider(&app, &caller)?;
    let form = to_unlink(caller.say(), &name).form((&app, &caller), &headers);
    let proved = flow::unlink(&app, form.fresh(&params, held)?).await?;
    Ok(form.conclude(proved, |()| see_other("/account?unlinked")))
}

/// What people call the provider; the page for what is not there, without one.
fn provider(app: &App, caller: &Caller) -> Result<String, Stop> {
    name(app, caller).ok_or_else(|| not_found_page(app, caller).into())
}

fn to_link(say: Words, name: &str) -> Ask {
    Ask {
        heading: say.upstream_account(name),
        what: vec![say.upstream_link_what(name), say.passkey_add_proof()],
        button: say.upstream_account_link(),
        action: "/account/upstream/link",
    }
}

fn to_unlink(say: Words, name: &str) -> Ask {
    Ask {
        heading: say.upstream_unlink(name),
        what: vec![say.upstream_unlink_what(name)],
        button: say.upstream_unlink_button(),
        action: "/account/upstream/unlink",
    }
}
