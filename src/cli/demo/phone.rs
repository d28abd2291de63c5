//! The phone of the demo's people, at `/phone`: the live codes of their authenticator app, and the
//! mailbox with what the server sends. Works without JavaScript: the page asks for itself again every few seconds.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;

use rules::identity::totp::STEP_SECONDS;

use super::authenticator::{Key, seconds_left, step};
use super::mailbox::Mailbox;
use super::notebook::{Notebook, PhoneEntry};
use super::received::{Piece, Received};
use super::web::{fields, page, see_other, words_for};
use super::window::Window;
use crate::rng;
use crate::secret::Secret;
use crate::words::Words;

/// How often the page looks for what is new, in seconds.
const LOOK_EVERY: u64 = 5;
/// How many accounts can be added to the phone.
const MOST_ADDED: usize = 8;

/// The phone.
pub struct Phone {
    /// Where its keys are kept.
    pub notebook: Arc<Notebook>,
    /// Whether codes were used, and invitations too.
    pub window: Arc<Window>,
    /// The invitation, when somebody is invited.
    pub invitations: Vec<Mail>,
    /// What the server sent by mail.
    pub mailbox: Arc<Mailbox>,
    /// The server's address: mails link nowhere else.
    pub issuer: String,
}

/// An invitation, as if it had been mailed.
pub struct Mail {
    /// Whom it is for.
    pub username: String,
    /// What to call her.
    pub name: String,
    /// The link.
    pub link: Secret,
}

#[derive(Template)]
#[template(path = "demo/phone.html")]
struct PhonePage {
    say: Words,
    /// None when somebody wants to type in peace.
    refresh: Option<u64>,
    nonce: String,
    seconds_left: u64,
    step_seconds: u64,
    percent_left: u64,
    codes: Vec<CodeView>,
    invitations: Vec<InvitationView>,
    mails: Vec<MailView>,
    problem: Option<String>,
}

struct CodeView {
    label: String,
    /// For the element's id.
    slug: String,
    code: String,
    /// Spent already: the next one comes in a moment.
    spent: bool,
}

struct InvitationView {
    name: String,
    username: String,
    link: String,
    used: bool,
}

struct MailView {
    mail: Received,
    pieces: Vec<Piece>,
}

/// The phone's route.
pub fn router(phone: Arc<Phone>) -> Router {
    Router::new()
        .route("/phone", get(show).post(add))
        .with_state(phone)
}

async fn show(
    State(phone): State<Arc<Phone>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let still = query.as_deref() == Some("still");
    phone
        .page(words_for(&headers), StatusCode::OK, still, None)
        .await
}

/// Adds an account by its key, as any authenticator app can.
async fn add(State(phone): State<Arc<Phone>>, headers: HeaderMap, body: Bytes) -> Response {
    let say = words_for(&headers);
    let form = fields(&body).unwrap_or_default();
    let typed = form.get("key").map_or("", String::as_str);
    let Some(key) = Key::parse(typed) else {
        let (problem, status) = (say.demo_phone_not_whole(), StatusCode::UNPROCESSABLE_ENTITY);
        return phone.page(say, status, true, Some(problem)).await;
    };
    let label = form.get("label").map_or("", |label| label.trim());
    let entry = PhoneEntry {
        label: if label.is_empty() {
            say.demo_phone_another()
        } else {
            label.to_owned()
        }
        .chars()
        .filter(|c| !c.is_control())
        .take(40)
        .collect(),
        secret: key.to_base32(),
    };
    let added = phone.notebook.change(|notes| {
        notes.phone.retain(|known| known.secret != entry.secret);
        if notes.phone.len() >= MOST_ADDED {
            notes.phone.remove(0);
        }
        notes.phone.push(entry);
    });
    match added {
        Ok(()) => see_other("/phone"),
        Err(error) => {
            tracing::warn!(error.detail = %error, "the phone cannot keep a key");
            let (problem, status) = (say.demo_phone_not_kept(), StatusCode::INTERNAL_SERVER_ERROR);
            phone.page(say, status, true, Some(problem)).await
        }
    }
}

impl Phone {
    async fn page(
        &self,
        say: Words,
        status: StatusCode,
        still: bool,
        problem: Option<String>,
    ) -> Response {
        let now = self.window.now();
        let left = seconds_left(now);
        // An identifier for the page's own style; without randomness there is only no animation.
        let nonce = rng::bytes::<16>().map_or_else(
            |_| String::new(),
            |bytes| {
                uuid::Builder::from_random_bytes(bytes)
                    .into_uuid()
                    .simple()
                    .to_string()
            },
        );
        let shown = PhonePage {
            say,
            refresh: (!still).then(|| left.min(LOOK_EVERY)),
            seconds_left: left,
            step_seconds: STEP_SECONDS,
            percent_left: left * 100 / STEP_SECONDS,
            codes: self.codes().await,
            invitations: self.invitation_views().await,
            mails: self.mail_views(),
            problem,
            nonce,
        };
        let policy = format!(
            "default-src 'none'; img-src data:; style-src 'self' 'nonce-{}'; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'",
            shown.nonce
        );
        page(status, &shown, &policy)
    }

    async fn codes(&self) -> Vec<CodeView> {
        let now = self.window.now();
        let notes = self.notebook.read();
        let mut codes = Vec::new();
        for (username, credentials) in notes.people {
            let secret = credentials.totp_secret.as_deref();
            let Some(key) = secret.and_then(Key::parse) else {
                continue;
            };
            let last = self.window.last_step(&username).await.unwrap_or_default();
            codes.push(CodeView {
                label: username.clone(),
                slug: username,
                code: key.code(now),
                spent: last.is_some_and(|last| last >= step(now)),
            });
        }
        for (i, entry) in notes.phone.into_iter().enumerate() {
            if let Some(key) = Key::parse(&entry.secret) {
                codes.push(CodeView {
                    label: entry.label,
                    slug: format!("added-{i}"),
                    code: key.code(now),
                    spent: false,
                });
            }
        }
        codes
    }

    fn mail_views(&self) -> Vec<MailView> {
        let view = |mail: Received| MailView {
            pieces: mail.pieces(&self.issuer),
            mail,
        };
        self.mailbox.newest_first().into_iter().map(view).collect()
    }

    async fn invitation_views(&self) -> Vec<InvitationView> {
        let mut views = Vec::with_capacity(self.invitations.len());
        for mail in &self.invitations {
            let active = self.window.is_active(&mail.username).await;
            views.push(InvitationView {
                name: mail.name.clone(),
                username: mail.username.clone(),
                link: mail.link.expose().to_owned(),
                used: matches!(active, Ok(Some(true))),
            });
        }
        views
    }
}

impl CodeView {
    /// In two groups of three.
    fn grouped(&self) -> String {
        match self.code.split_at_checked(3) {
            Some((first, second)) => format!("{first} {second}"),
            None => self.code.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Lang;

    #[test]
    fn the_phone_speaks_the_language_of_the_browser() {
        let page = |lang: Lang| {
            let page = PhonePage {
                say: lang.words(),
                refresh: Some(5),
                nonce: String::new(),
                seconds_left: 12,
                step_seconds: 30,
                percent_left: 40,
                codes: Vec::new(),
                invitations: Vec::new(),
                mails: Vec::new(),
                problem: Some(lang.words().demo_phone_not_whole()),
            };
            page.render().unwrap()
        };
        let (english, german) = (page(Lang::En), page(Lang::De));
        assert!(english.contains("lang=\"en\"") && english.contains("Mailbox"));
        assert!(german.contains("lang=\"de\"") && german.contains("Postfach"));
        for text in ["Mailbox", "Add ", "Key", "Open ", "paste"] {
            assert!(!german.contains(text), "{text}: {german}");
        }
    }
}
