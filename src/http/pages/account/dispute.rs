//! "This wasn't me": everything stops at once, and the number to call is shown.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::activity::{identifier, row};
use super::rows::client_name;
use super::{address, at_account};
use crate::app::App;
use crate::flows::activity;
use crate::flows::dispute::{self, Disputed};
use crate::flows::upstream;
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::http::pages::sign_in::signed_in;
use crate::http::pages::upstream::name;
use crate::http::pages::view::{DisputeDone, NotMe, Suspect};
use crate::http::pages::{Stop, chrome, own_form, page, see_other, set_cookie};

const HERE: &str = "/account/not-me";

/// What the name of a suspect app's check box begins with; its grant follows.
const STOP: &str = "stop-";

/// What the name of a suspect key's check box begins with; its identifier follows.
const BLOCK: &str = "block-";

/// How many suspect apps, and how many keys, the page lists.
const LISTED: usize = 20;

/// `GET /account/not-me`: says what will happen, and asks.
pub async fn ask(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let about = identifier(request.uri(), "event");
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let about = match about {
        Some(id) => activity::entry(&app, &held, id).await?,
        None => None,
    };
    let suspects = dispute::suspect(&app, &held, about.as_ref()).await?;
    let registered = app.registry.now();
    let say = caller.say();
    let view = NotMe {
        chrome: &chrome(&app, &caller),
        action: HERE.to_owned(),
        about: about.as_ref().map(|entry| row(say, &registered, entry)),
        event: about.map(|entry| entry.id.to_string()),
        apps: suspects
            .grants
            .iter()
            .take(LISTED)
            .map(|grant| Suspect {
                field: format!("{STOP}{}", grant.id),
                name: client_name(&registered, &grant.client_id),
                since: say.date(grant.consented_at),
            })
            .collect(),
        keys: suspects
            .keys
            .iter()
            .take(LISTED)
            .map(|key| Suspect {
                field: format!("{BLOCK}{}", key.id),
                name: key.name.clone(),
                since: say.date(key.created_at),
            })
            .collect(),
        linked: match upstream::linked(&app, &held).await? {
            Some(_) => name(&app, &caller),
            None => None,
        },
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /account/not-me`. Any session that still lives may do it, however long she was away: it
/// gives nobody anything.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other("/sign-in"));
    };
    let event = params.get("event").and_then(|id| Uuid::try_parse(id).ok());
    let about = match event {
        Some(id) => activity::entry(&app, &held, id).await?,
        None => None,
    };
    let suspects = dispute::suspect(&app, &held, about.as_ref()).await?;
    let named = |what, id: &Uuid| params.get(&format!("{what}{id}")).is_some();
    let grants = suspects.grants.iter().map(|grant| grant.id);
    let keys = suspects.keys.iter().map(|key| key.id);
    let said = Disputed {
        about: about.map(|entry| entry.id),
        stop: grants.filter(|id| named(STOP, id)).collect(),
        block: keys.filter(|id| named(BLOCK, id)).collect(),
    };
    let Some(open) = dispute::dispute(&app, &held, said, &caller).await? else {
        return Ok(see_other("/sign-in"));
    };
    let view = DisputeDone {
        chrome: &chrome(&app, &caller),
        still_open: open > 0,
        sign_in_href: "/sign-in".to_owned(),
    };
    let mut response = page(StatusCode::OK, &view, None);
    let cookies = Cookies::of(&headers, &app.config.issuer);
    for name in [cookies::SESSION, cookies::DEVICE] {
        set_cookie(&mut response, cookies.forget(name));
    }
    Ok(response)
}
