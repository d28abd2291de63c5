//! Which language a page is in: what the person chose in the footer, what the app asked for, what the
//! browser asks for, what the institution set.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use rules::protocol::Params;
use url::Url;

use super::{Stop, own_form, see_other, set_cookie};
use crate::app::App;
use crate::flows::Caller;
use crate::http::cookies::{self, Cookies};
use crate::http::layer::text;
use crate::words::{Lang, accepted};

/// How long a choice is kept.
const CHOICE_DAYS: u64 = 365;

/// The longest address that a choice leads back to, in bytes; from a longer one it leads to
/// [`ELSEWHERE`].
const LONGEST: usize = 512;

/// Where a choice leads that was made on no page to go back to.
const ELSEWHERE: &str = "/about";

/// The language of a request and the page it is for. Where a program is expected neither matters,
/// unless a browser came.
pub(in crate::http) fn of(app: &App, request: &Request, program: bool) -> Caller {
    let headers = request.headers();
    let accepts = headers.get(header::ACCEPT).map(HeaderValue::as_bytes);
    let shown = accepts.is_some_and(|types| types.windows(9).any(|part| part == b"text/html"));
    if program && !shown {
        return Caller::default();
    }
    let spoken = &app.config.institution.languages;
    let chosen = Cookies::of(headers, &app.config.issuer).get(cookies::LANGUAGE);
    let chosen = chosen
        .and_then(Lang::of)
        .filter(|lang| spoken.contains(lang));
    let asked =
        || text(headers, &header::ACCEPT_LANGUAGE).and_then(|header| accepted(&header, spoken));
    let default = app.config.institution.language;
    Caller {
        lang: chosen.or_else(asked).unwrap_or(default),
        lang_chosen: chosen.is_some(),
        page: page_of(request),
        ..Caller::default()
    }
}

/// The page that can be opened again: what a form's answer shows belongs to the page before it.
fn page_of(request: &Request) -> String {
    let uri = request.uri();
    let address = uri.path_and_query().map_or("/", |all| all.as_str());
    if address.len() > LONGEST {
        return ELSEWHERE.to_owned();
    }
    if request.method() == Method::GET {
        return address.to_owned();
    }
    let path = uri.path();
    let mut steps = path.split('/').skip(1);
    match (steps.next(), steps.next()) {
        (Some("interaction"), Some(id)) => format!("/interaction/{id}"),
        (Some(first @ ("activate" | "account")), _) => format!("/{first}"),
        (Some("authorize"), _) => ELSEWHERE.to_owned(),
        _ => path.to_owned(),
    }
}

/// `POST /language`: keeps the choice, and goes back to the page it was made on.
pub async fn choose(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, _) = own_form(&app, request).await?;
    let mut response = see_other(&back(&app, &params));
    if let Some(lang) = params.get("lang").and_then(Lang::of) {
        let cookies = Cookies::of(&headers, &app.config.issuer);
        let lifetime = std::time::Duration::from_hours(CHOICE_DAYS * 24);
        let cookie = cookies.set(cookies::LANGUAGE, lang.tag(), Some(lifetime));
        set_cookie(&mut response, cookie);
    }
    Ok(response)
}

/// An address of ours, whatever was sent: path and query of what it means to a browser that is here,
/// when that is still here.
fn back(app: &App, params: &Params) -> String {
    let issuer = app.config.issuer.as_str();
    own_address(issuer, params.get("back").unwrap_or_default())
        .unwrap_or_else(|| ELSEWHERE.to_owned())
}

fn own_address(issuer: &str, back: &str) -> Option<String> {
    let here = Url::parse(issuer).ok()?;
    let there = here.join(back).ok().filter(|_| back.starts_with('/'))?;
    // A path of two slashes would be a host when it stands alone in a `Location`.
    let own = there.origin() == here.origin() && !there.path().starts_with("//");
    own.then(|| match there.query() {
        Some(query) => format!("{}?{query}", there.path()),
        None => there.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_never_leads_away() {
        let issuer = "https://login.bank.example";
        for (back, leads) in [
            ("/sign-in", Some("/sign-in")),
            ("/account?ended", Some("/account?ended")),
            ("/a\r\nSet-Cookie: x", Some("/aSet-Cookie:%20x")),
            ("//evil.example", None),
            ("/\\evil.example", None),
            ("/\t/evil.example", None),
            ("///evil.example", None),
            ("/.//evil.example", None),
            ("https://evil.example/", None),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            assert_eq!(own_address(issuer, back).as_deref(), leads, "{back:?}");
        }
    }
}
