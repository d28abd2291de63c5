//! `/errors`: what each error means, what causes it, and a wrong and a right request. Every error of
//! this server links here.

mod clients;
mod proofs;
mod requests;
mod tokens;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rules::protocol::ErrorCode;

use super::view::{ErrorPage, ErrorTopic, ErrorsIndex};
use super::{chrome, not_found, page};
use crate::app::App;
use crate::http::oauth::caller;
use crate::words::Words;

/// A text, in the language of the page.
pub type Text = fn(Words) -> String;

/// Where a standard says it: the section and its address.
#[derive(Clone, Copy, Debug)]
pub struct Spec(pub &'static str, pub &'static str);

/// An error, explained.
pub struct Explained {
    /// Which.
    pub code: ErrorCode,
    /// What it means.
    pub means: Text,
    /// Who defines it.
    pub spec: Spec,
    /// What causes it, the usual first.
    pub topics: &'static [Topic],
}

/// One cause of an error.
pub struct Topic {
    /// Its anchor on the page.
    pub id: &'static str,
    /// The cause.
    pub title: Text,
    /// More of it, and what to do.
    pub text: Text,
    /// Who says so.
    pub spec: Spec,
    /// A request, or the claims of an assertion, that is refused so; empty when none shows it. Words
    /// in capitals stand for values of the reader.
    pub wrong: &'static str,
    /// The same as it is accepted.
    pub right: &'static str,
}

/// Every error, by what it is about.
pub fn all() -> impl Iterator<Item = &'static Explained> {
    requests::ALL
        .iter()
        .chain(&clients::ALL)
        .chain(&tokens::ALL)
        .chain(&proofs::ALL)
}

/// `GET /errors`: all errors.
pub async fn index(State(app): State<Arc<App>>, request: Request) -> Response {
    let caller = caller(&request);
    let say = caller.say();
    let view = ErrorsIndex {
        chrome: &chrome(&app, &caller),
        errors: all()
            .map(|one| (one.code.as_str(), (one.means)(say)))
            .collect(),
    };
    page(StatusCode::OK, &view, None)
}

/// `GET /errors/{code}`: one error, with its causes.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let Some(found) = all().find(|one| one.code.as_str() == code) else {
        return not_found(State(app), request).await;
    };
    let caller = caller(&request);
    let (say, issuer) = (caller.say(), app.config.issuer.as_str());
    let topics = found.topics.iter().map(|topic| ErrorTopic {
        id: topic.id,
        title: (topic.title)(say),
        text: (topic.text)(say),
        spec: topic.spec,
        wrong: filled(topic.wrong, issuer),
        right: filled(topic.right, issuer),
    });
    let view = ErrorPage {
        chrome: &chrome(&app, &caller),
        code: found.code.as_str(),
        means: (found.means)(say),
        spec: found.spec,
        topics: topics.collect(),
    };
    page(StatusCode::OK, &view, None)
}

/// An example with this server's own name in it.
fn filled(example: &'static str, issuer: &str) -> String {
    example.replace("ISSUER", issuer)
}
