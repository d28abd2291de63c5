//! The account as a whole: her data to take along, the wish to close it, and a new sign-in that somebody
//! asked for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use super::proved::Ask;
use super::{address, at_account};
use crate::app::App;
use crate::flows::{close, my_data, reproof};
use crate::http::oauth::caller;
use crate::http::pages::sign_in::signed_in;
use crate::http::pages::view::CloseAsked;
use crate::http::pages::{Stop, chrome, own_form, page, see_other};
use crate::words::Words;

const DATA: &str = "/account/data";
const CLOSE: &str = "/account/close";

/// `GET /account/data`.
pub async fn show_data(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    at_account(&app, request.headers(), address(&request)).await?;
    Ok(ask_data(caller.say()).show((&app, &caller), StatusCode::OK, None))
}

/// `POST /account/data`: the file, after a fresh proof.
pub async fn data(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, DATA).await?;
    let form = ask_data(caller.say()).form((&app, &caller), &headers);
    let proved = my_data::export(&app, form.fresh(&params, held)?).await?;
    Ok(form.conclude(proved, |data| {
        let mut response = (StatusCode::OK, data).into_response();
        let plain = response.headers_mut();
        plain.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        plain.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"my-data.json\""),
        );
        response
    }))
}

/// `GET /account/close`: what closing means, or since when she asks for it.
pub async fn show_close(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let Some(since) = held.user.close_asked_at else {
        return Ok(ask_close(caller.say()).show((&app, &caller), StatusCode::OK, None));
    };
    let view = CloseAsked {
        chrome: &chrome(&app, &caller),
        since: caller.say().date(since),
        action: format!("{CLOSE}/take-back"),
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// `POST /account/close`: she asks for it, after a fresh proof.
pub async fn ask_to_close(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, CLOSE).await?;
    let form = ask_close(caller.say()).form((&app, &caller), &headers);
    let proved = close::ask(&app, form.fresh(&params, held)?).await?;
    Ok(form.conclude(proved, |()| see_other("/account?close")))
}

/// `POST /account/close/take-back`.
pub async fn take_back(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let held = at_account(&app, &headers, CLOSE).await?;
    close::take_back(&app, &held, &caller).await?;
    Ok(see_other("/account?open"))
}

/// `POST /account/recovery/cancel`. Any session that still lives may do it, however long she was away:
/// it gives nobody anything.
pub async fn cancel_recovery(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, _, caller) = own_form(&app, request).await?;
    let Some(held) = signed_in(&app, &headers).await? else {
        return Ok(see_other("/sign-in"));
    };
    reproof::cancel_own(&app, &held, &caller).await?;
    Ok(see_other("/account?recovery"))
}

fn ask_data(say: Words) -> Ask {
    Ask {
        heading: say.data_download(),
        what: vec![say.data_what(), say.data_kept()],
        button: say.data_download(),
        action: DATA,
    }
}

fn ask_close(say: Words) -> Ask {
    Ask {
        heading: say.close_access(),
        what: vec![say.close_what(), say.close_decide()],
        button: say.close_ask(),
        action: CLOSE,
    }
}
