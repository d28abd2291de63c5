//! Pocket Budget, a partner app: it shows a person her accounts at a bank that she connects. It
//! knows of the bank what any third party would: an address, a client id and a secret, or with
//! `--fapi` a key.

mod accounts_api;
mod keys;
mod logout;
mod pages;
mod relying_party;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;

pub use accounts_api::AccountsApi;
pub use keys::Keys;
#[cfg(test)]
pub use relying_party::SCOPES;
pub use relying_party::{Http, RelyingParty, Trust};
pub use sessions::Sessions;

use super::accounts::Account;
use super::api::TRANSACTIONS_READ;
use super::web::{cookie, fields, see_other, words_for};
use super::window::Window;
use crate::clock::Clock;
use crate::secret::Secret;
use crate::words::Words;
use accounts_api::Refused;
use pages::{AccountView, Accounts, Home, Message, Strip};
use relying_party::{Callback, Connection, Trouble, check_iss};
const COOKIE: &str = "pb-session";
/// How many audit lines the strip shows.
const AUDIT_LINES: usize = 3;

/// The app.
pub struct Partner {
    /// Its side of OpenID Connect.
    pub relying_party: RelyingParty,
    /// The bank's API.
    pub api: AccountsApi,
    /// What the bank is called.
    pub bank: String,
    /// What the demo shows beyond what a partner would see.
    pub window: Arc<Window>,
    /// Who uses it.
    pub sessions: Sessions,
    /// The time.
    pub clock: Clock,
}

/// The app's routes.
pub fn router(partner: Arc<Partner>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/connect", post(connect))
        .route("/callback", get(callback))
        .route("/accounts", get(accounts))
        .route("/accounts/{id}/card", get(card))
        .route("/disconnect", post(disconnect))
        .route("/sign-out", post(sign_out))
        .route("/signed-out", get(signed_out))
        .route("/backchannel-logout", post(bank_session_ended))
        .with_state(partner)
}

async fn home(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    if partner.connection(&headers).is_some() {
        return see_other("/accounts");
    }
    partner.page(&Home {
        say: words_for(&headers),
        bank: &partner.bank,
    })
}

async fn connect(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    partner.go_to_bank(&headers, None).await
}

/// A card's number. The bank's API wants a stronger proof for it; the person is sent to give it, and
/// asks again.
async fn card(
    State(partner): State<Arc<Partner>>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response {
    let say = words_for(&headers);
    let Some((_, connection)) = partner.connection(&headers) else {
        return see_other("/");
    };
    match partner.api.card(&account, &connection.access_token).await {
        Ok(number) => partner.page(&Message::card(say, &partner.bank, &number)),
        Err(Refused::Proof(acr)) => partner.go_to_bank(&headers, Some(&acr)).await,
        // The list knows what to do about a token that is no longer good.
        Err(Refused::Token | Refused::Scope) => see_other("/accounts"),
        Err(Refused::Broken(why)) => partner.trouble(say, &Trouble::Broken(why)),
    }
}

async fn callback(
    State(partner): State<Arc<Partner>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let say = words_for(&headers);
    let answer = fields(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let id = cookie(&headers, COOKIE).unwrap_or_default();
    // RFC 6749 §10.12: the answer belongs to something this browser asked for.
    let attempt = answer
        .get("state")
        .and_then(|state| partner.sessions.take_attempt(id, state));
    let Some(attempt) = attempt else {
        return partner.page(&Message::waited_too_long(say, &partner.bank));
    };
    let iss = answer.get("iss").cloned();
    if let Some(error) = answer.get("error") {
        let known = check_iss(iss.as_deref(), &partner.relying_party.issuer, true);
        return match (known, error.as_str()) {
            (Ok(()), "access_denied" | "unmet_authentication_requirements") => {
                partner.page(&Message::denied(say, &partner.bank))
            }
            (Ok(()), error) => {
                let why = answer.get("error_description").map_or("", String::as_str);
                partner.trouble(say, &Trouble::Broken(format!("{error}: {why}")))
            }
            (Err(trouble), _) => partner.trouble(say, &trouble),
        };
    }
    let Some(code) = answer.get("code").cloned() else {
        return partner.trouble(
            say,
            &Trouble::Broken("the answer has neither code nor error".to_owned()),
        );
    };
    let finished = partner
        .relying_party
        .finish(attempt, Callback { code, iss });
    let connected = match finished.await {
        Ok(connection) => partner.sessions.connect(id, connection),
        Err(trouble) => return partner.trouble(say, &trouble),
    };
    match connected {
        Ok(id) => with_cookie(see_other("/accounts"), &id),
        Err(fault) => partner.trouble(say, &Trouble::Broken(fault.to_string())),
    }
}

async fn accounts(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    let say = words_for(&headers);
    let Some((id, mut connection)) = partner.connection(&headers) else {
        return see_other("/");
    };
    let mut found = partner.api.accounts(&connection.access_token).await;
    if found == Err(Refused::Token) {
        // The token may just have run out; a new one shows whether the consent still stands.
        match partner.relying_party.refresh(&connection).await {
            Ok(renewed) => {
                connection = renewed;
                partner.sessions.renew(&id, connection.clone());
                found = partner.api.accounts(&connection.access_token).await;
            }
            Err(Trouble::Ended) => return partner.ended(say, &id, &connection).await,
            Err(trouble) => return partner.trouble(say, &trouble),
        }
    }
    match found {
        Ok(found) => partner.show(say, found, &connection).await,
        Err(Refused::Token | Refused::Proof(_)) => partner.ended(say, &id, &connection).await,
        Err(Refused::Scope) => partner.page(&Message::not_shared(say, &partner.bank)),
        Err(Refused::Broken(why)) => partner.trouble(say, &Trouble::Broken(why)),
    }
}

async fn disconnect(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    let say = words_for(&headers);
    let id = cookie(&headers, COOKIE).unwrap_or_default();
    let Some(connection) = partner.sessions.disconnect(id) else {
        return see_other("/");
    };
    match partner.relying_party.revoke(&connection).await {
        Ok(()) => {
            let strip = partner.strip(&connection).await;
            partner.page(&Message::disconnected(say, &partner.bank, strip))
        }
        Err(trouble) => partner.trouble(say, &trouble),
    }
}

/// Signs her out here, and sends her to the bank to be signed out there.
async fn sign_out(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    let say = words_for(&headers);
    let id = cookie(&headers, COOKIE).unwrap_or_default();
    let Some(connection) = partner.sessions.disconnect(id) else {
        return see_other("/signed-out");
    };
    match partner.relying_party.sign_out_url(&connection).await {
        Ok(url) => see_other(&url),
        Err(trouble) => partner.trouble(say, &trouble),
    }
}

async fn signed_out(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Response {
    partner.page(&Message::signed_out(words_for(&headers), &partner.bank))
}

/// The bank says that a session there ended (OpenID Connect Back-Channel Logout 1.0 §2.5).
async fn bank_session_ended(State(partner): State<Arc<Partner>>, body: Bytes) -> Response {
    let form = fields(&body).unwrap_or_default();
    let token = form.get("logout_token").map_or("", String::as_str);
    let now = partner.clock.now();
    match partner.relying_party.ended_session(token, now).await {
        Ok(session) => {
            partner.sessions.end(&session);
            StatusCode::OK.into_response()
        }
        Err(Trouble::Ended) => {
            let error = r#"{"error":"invalid_request"}"#;
            let json = [(CONTENT_TYPE, "application/json")];
            (StatusCode::BAD_REQUEST, json, error).into_response()
        }
        Err(Trouble::Broken(why)) => {
            tracing::warn!(error.detail = %why, "Pocket Budget cannot read a logout token");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

impl Partner {
    /// Sends the browser to the bank, to connect or to prove more.
    async fn go_to_bank(&self, headers: &HeaderMap, acr: Option<&str>) -> Response {
        let say = words_for(headers);
        let attempt = match self.relying_party.begin(acr, say.lang).await {
            Ok(attempt) => attempt,
            Err(trouble) => return self.trouble(say, &trouble),
        };
        let url = attempt.url.clone();
        match self.sessions.attempt(cookie(headers, COOKIE), attempt) {
            Ok(id) => with_cookie(see_other(&url), &id),
            Err(fault) => self.trouble(say, &Trouble::Broken(fault.to_string())),
        }
    }

    fn connection(&self, headers: &HeaderMap) -> Option<(String, Connection)> {
        let id = cookie(headers, COOKIE)?;
        let connection = self.sessions.connection(id)?;
        Some((id.to_owned(), connection))
    }

    async fn show(&self, say: Words, found: Vec<Account>, connection: &Connection) -> Response {
        let token = &connection.access_token;
        let shared = connection
            .scopes
            .iter()
            .any(|scope| scope == TRANSACTIONS_READ);
        let mut views = Vec::with_capacity(found.len());
        for account in found {
            // A list that does not come is left out; the rest of the page is still worth showing.
            let movements = if shared {
                self.api.transactions(&account.id, token).await.ok()
            } else {
                None
            };
            views.push(AccountView::new(&account, movements.as_deref(), say.lang));
        }
        self.page(&Accounts {
            say,
            bank: &self.bank,
            manage: format!("{}/account", self.relying_party.issuer),
            name: connection.name.as_deref(),
            transactions: shared,
            rows: views,
            strip: Some(self.strip(connection).await),
        })
    }

    /// The bank says no, and will go on saying it.
    async fn ended(&self, say: Words, id: &str, connection: &Connection) -> Response {
        self.sessions.disconnect(id);
        let strip = self.strip(connection).await;
        self.page(&Message::stopped(say, &self.bank, strip))
    }

    fn trouble(&self, say: Words, trouble: &Trouble) -> Response {
        let why = trouble.to_string();
        tracing::warn!(error.detail = %why, "Pocket Budget cannot go on");
        self.page(&Message::broken(say, &self.bank, why))
    }

    async fn strip(&self, connection: &Connection) -> Strip {
        let client_id = &self.relying_party.client_id;
        let audit = self.window.audit_lines(client_id, AUDIT_LINES).await;
        Strip {
            person: connection.name.clone().unwrap_or_default(),
            email: connection.email.clone().unwrap_or_default(),
            subject: connection.subject.clone(),
            assurance: connection.assurance.clone(),
            client_id: client_id.clone(),
            access_token: beginning(&connection.access_token),
            refresh_token: connection.refresh_token.as_ref().map(beginning),
            api: format!("{}/accounts", self.api.origin),
            scopes: connection.scopes.clone(),
            introspection: self
                .window
                .answers
                .about(connection.access_token.expose())
                .and_then(|answer| serde_json::to_string_pretty(&answer).ok()),
            audit: audit.unwrap_or_else(|fault| vec![format!("(cannot be read: {fault})")]),
        }
    }

    fn page(&self, page: &impl pages::Page) -> Response {
        let policy = format!(
            "default-src 'none'; img-src data:; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' {}",
            self.relying_party.issuer
        );
        super::web::page(page.status(), page, &policy)
    }
}

/// Enough of a token to recognise it, too little to use it.
fn beginning(token: &Secret) -> String {
    let beginning: String = token.expose().chars().take(12).collect();
    format!("{beginning}…")
}

/// Without `Secure`, because the demo speaks plain http on loopback.
fn with_cookie(response: Response, id: &Secret) -> Response {
    let value = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", id.expose());
    match HeaderValue::from_str(&value) {
        Ok(value) => ([(SET_COOKIE, value)], response).into_response(),
        Err(_) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_whole() {
        let shown = beginning(&Secret::new("cs_at_0123456789abcdef".to_owned()));
        assert_eq!(shown, "cs_at_012345…");
    }
}
