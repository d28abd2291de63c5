//! What a form gives for a proof of who somebody is: name, password and code; a security key in the
//! place of the code; or a passkey alone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HeaderMap;
use axum::response::Response;
use rules::protocol::Params;
use serde_json::json;

use super::{Stop, own_form, set_cookie};
use crate::app::App;
use crate::flows::sign_in::{Evidence, Second, Typed};
use crate::flows::webauthn::{self, Asked, Presented};
use crate::http::cookies::{self, Cookies};
use crate::http::reply;
use crate::secret::Secret;

/// Which fields of a form hold what; the name is typed at sign-in and known afterwards.
pub(super) struct Fields<'a> {
    /// Who she says she is.
    pub username: &'a str,
    /// The field with the password.
    pub password: &'static str,
}

/// Reads them; none when something is missing. Which path it is, is decided by what the ceremony
/// was begun for: a form cannot turn the answer of a security key into a passkey's.
pub(super) fn evidence(
    app: &App,
    headers: &HeaderMap,
    params: &Params,
    fields: &Fields<'_>,
) -> Option<Evidence> {
    let field = |name| params.get(name).unwrap_or_default();
    let password = Secret::new(field(fields.password).to_owned());
    let second = match presented(app, headers, params) {
        Some(presented) if field("proof") != "key" => return Some(Evidence::Passkey(presented)),
        Some(presented) => Second::Key(presented),
        None => Second::Code(Secret::new(field("code").to_owned())),
    };
    let empty = matches!(&second, Second::Code(code) if code.expose().is_empty());
    if empty || fields.username.is_empty() || password.expose().is_empty() {
        return None;
    }
    Some(Evidence::Typed(Typed {
        username: fields.username.to_owned(),
        password,
        second,
    }))
}

/// What an authenticator answered, when one did.
pub(super) fn presented(app: &App, headers: &HeaderMap, params: &Params) -> Option<Presented> {
    let field = |name| params.get(name).unwrap_or_default().to_owned();
    let cookies = Cookies::of(headers, &app.config.issuer);
    (!field("credential").is_empty()).then(|| Presented {
        ceremony: field("ceremony"),
        credential: Secret::new(field("credential")),
        holder: cookies.get(cookies::CEREMONY).map(str::to_owned),
    })
}

/// `POST /passkeys/ask`: a challenge for this browser's authenticators. It says the same to everybody.
pub async fn ask(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let (headers, params, _) = own_form(&app, request).await?;
    let asked = match params.get("proof") {
        Some("key") => Asked::Beside,
        _ => Asked::Passkey,
    };
    let cookies = Cookies::of(&headers, &app.config.issuer);
    let challenge = webauthn::ask(&app, cookies.get(cookies::CEREMONY), asked).await?;
    let mut response = reply::json(&json!({
        "ceremony": challenge.ceremony.to_string(),
        "publicKey": challenge.options,
    }));
    if let Some(token) = challenge.token {
        set_cookie(
            &mut response,
            cookies.set(cookies::CEREMONY, token.expose(), None),
        );
    }
    Ok(response)
}
