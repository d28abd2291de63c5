//! What each page shows: one struct a template, filled by the handlers and escaped by askama.
//!
//! Every text arrives ready to read (dates already worded, amounts already formatted); the
//! templates only place it. [`ActivateFactor`] and [`ActivateCodes`] carry secrets, so no struct
//! here derives `Debug`.

use askama::Template;
use rules::protocol::OAuthError;

use super::errors::Spec;
use crate::config::{Part, Shown};

mod account;
mod chrome;
pub(crate) mod filters;
mod qr;
#[cfg(test)]
mod tests;

pub use account::*;
pub use chrome::Chrome;
pub use qr::Qr;

/// Why a form came back: the summary takes the focus, each field repeats its own message.
pub struct Problem {
    /// What happened and what to do, in one or two sentences.
    pub summary: String,
    /// Pairs of field id and message; empty when the verdict must not name a field.
    pub fields: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem that names no field, such as the one verdict at sign-in.
    #[must_use]
    pub fn of(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            fields: Vec::new(),
        }
    }

    /// Adds a message to the field with that id.
    #[must_use]
    pub fn field(mut self, id: &'static str, message: impl Into<String>) -> Self {
        self.fields.push((id, message.into()));
        self
    }

    /// The message of a field, if it has one.
    #[must_use]
    pub fn message_for(&self, id: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| *field == id)
            .map(|(_, message)| message.as_str())
    }
}

/// Sign-in: name, password and code on one page.
/// Posts `username`, `password`, `code` to `action`; nothing to `cancel_action`.
#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
pub struct SignIn<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The client's name when an app asked for this sign-in.
    pub asked_by: Option<String>,
    /// What was typed as the user name, given back after a refusal.
    pub username: String,
    /// Why the form came back.
    pub problem: Option<Problem>,
    /// Where "Don't continue" is posted; only with `asked_by`.
    pub cancel_action: Option<String>,
    /// Why she is asked again.
    pub reason: Option<String>,
    /// The way through the institution's own provider: address and name.
    pub upstream: Option<(String, String)>,
}

/// The provider vouched for somebody; another factor is asked for. Posts `code`, or what an
/// authenticator answered.
#[derive(Template)]
#[template(path = "sign_in/beside.html")]
pub struct Beside<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// What people call the provider.
    pub name: String,
    /// Why the form came back.
    pub problem: Option<Problem>,
    /// Where she came from.
    pub back_href: String,
}

/// Somebody is signed in, and must prove more than she did. Posts what an authenticator answered to
/// `passkey_action` or `key_action`; nothing to `cancel_action`.
#[derive(Template)]
#[template(path = "sign_in/step_up.html")]
pub struct StepUp<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The client's name.
    pub client_name: String,
    /// Where a passkey's answer is posted.
    pub passkey_action: String,
    /// Where a security key's answer is posted, when it helps.
    pub key_action: Option<String>,
    /// Where "Don't continue" is posted.
    pub cancel_action: String,
    /// Where she adds one.
    pub account_href: String,
    /// Why the form came back; it names no field.
    pub problem: Option<Problem>,
}

/// Somebody is signed in, and the app wants to know whether it is she who goes on.
/// Posts `session` to `go_on_action`; nothing to the other two.
#[derive(Template)]
#[template(path = "sign_in/choose.html")]
pub struct ChooseAccount<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The client's name.
    pub client_name: String,
    /// The signed-in person's name.
    pub signed_in_as: String,
    /// What she signs in with.
    pub username: String,
    /// The session that the page is about: `sid`, no secret.
    pub session: String,
    /// Where "Go on" is posted.
    pub go_on_action: String,
    /// Where "somebody else" is posted.
    pub switch_action: String,
    /// Where "Don't continue" is posted.
    pub cancel_action: String,
}

/// What a GET of an invitation shows: link preloaders change nothing, only the button does.
#[derive(Template)]
#[template(path = "activate/start.html")]
pub struct ActivateStart<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the button posts, without fields.
    pub action: String,
    /// How to greet the person: a display name or the user name.
    pub name: String,
    /// Until when the invitation works: `23 November 2026, 10:00 UTC`.
    pub until: String,
}

/// Step 1 of activation: the password. Posts `password` and `repeat`.
#[derive(Template)]
#[template(path = "activate/password.html")]
pub struct ActivatePassword<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The user name, shown so that password managers save it too; it is not posted.
    pub username: String,
    /// Why the form came back; field ids `password`, `repeat`.
    pub problem: Option<Problem>,
}

/// Step 2 of activation: a passkey, or the authenticator app. Posts `credential` to `passkey_action`,
/// `code` to `action`.
#[derive(Template)]
#[template(path = "activate/factor.html")]
pub struct ActivateFactor<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// Where what the device made is posted, and its challenge fetched below; none where no passkeys
    /// are taken.
    pub passkey_action: Option<String>,
    /// The key as a picture.
    pub qr: Qr,
    /// The key for typing, in groups of four characters.
    pub key_groups: Vec<String>,
    /// The account's name inside the app: `Meridian Bank: ada`.
    pub account_label: String,
    /// `otpauth://` link that opens an app on this same phone.
    pub otpauth_url: String,
    /// Why the form came back; field id `code`.
    pub problem: Option<Problem>,
}

/// Step 3 of activation: recovery codes to keep. Posts `confirm`, one of them.
#[derive(Template)]
#[template(path = "activate/codes.html")]
pub struct ActivateCodes<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The user name the codes belong to, printed above them.
    pub username: String,
    /// The codes, in the order of their numbers, from 1.
    pub codes: Vec<String>,
    /// Number of the code to type, from 1.
    pub ask_index: usize,
    /// Why the form came back; field id `confirm`.
    pub problem: Option<Problem>,
}

/// The end of activation.
#[derive(Template)]
#[template(path = "activate/done.html")]
pub struct ActivateDone<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The account page.
    pub account_href: String,
}

/// Consent. Posts `decision` (`allow` or `deny`) and, for every ticked choice, `scope`.
#[derive(Template)]
#[template(path = "consent/consent.html")]
pub struct Consent<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The question: `Share accounts with Pocket Budget?`.
    pub heading: String,
    /// The client's name.
    pub client_name: String,
    /// Who is behind the client: terms and texts, such as its company and its licence.
    pub facts: Vec<(String, String)>,
    /// Pages of the client's own: labels and addresses.
    pub links: Vec<(String, String)>,
    /// What is asked that no scope says (RFC 9396), shown first.
    pub details: Vec<Shown>,
    /// What is asked, in the order to show it.
    pub items: Vec<ConsentItem>,
    /// What it cannot do, each a sentence: `It cannot move money.`
    pub cannot: Vec<String>,
    /// The last day it lasts: `21 February 2027`.
    pub until: String,
    /// Host of the address the browser goes to afterwards.
    pub redirect_host: String,
    /// The signed-in person's name.
    pub signed_in_as: String,
    /// Where "Not you?" is posted, without fields.
    pub switch_action: String,
    /// Words of the allowing button: `Share accounts`.
    pub primary_label: String,
    /// Words of the refusing button: `Don't share`.
    pub deny_label: String,
}

/// One thing a client asks for.
pub struct ConsentItem {
    /// The scope, posted as `scope` when `optional` and ticked.
    pub id: String,
    /// What it may see or do: `Your accounts and balances`.
    pub title: String,
    /// A second sentence.
    pub detail: Option<String>,
    /// Whether the person may leave it out.
    pub optional: bool,
    /// Whether its box is ticked at first.
    pub checked: bool,
    /// Whether an earlier consent already covers it.
    pub already: bool,
}

/// The mood of a [`Message`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something to know.
    Info,
    /// Something failed; the title starts with "Error: ".
    Error,
    /// Something was done.
    Success,
}

/// A page that says one thing: what happened, what to do, the reference number.
#[derive(Template)]
#[template(path = "message/message.html")]
pub struct Message<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Its mood.
    pub tone: Tone,
    /// The heading.
    pub heading: String,
    /// What happened.
    pub what: String,
    /// What to do.
    pub todo: Option<String>,
    /// The request id to quote when calling.
    pub reference: Option<String>,
    /// The way on: address and words.
    pub link: Option<(String, String)>,
    /// For the partner's developer; folded away.
    pub detail: Option<Detail>,
}

/// What only the partner's developer needs to know.
pub struct Detail {
    /// What is wrong.
    pub text: String,
    /// The page that explains it.
    pub explained: Option<String>,
}

impl Detail {
    /// A refusal, with the page of this server that explains it.
    #[must_use]
    pub fn explained(error: &OAuthError) -> Self {
        Self {
            text: error.to_string(),
            explained: Some(error.uri("")),
        }
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self {
            text,
            explained: None,
        }
    }
}

impl Message<'_> {
    /// Whether the title and the mark speak of an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.tone == Tone::Error
    }
}

/// Who wants a person to sign out.
pub enum Asker {
    /// She herself.
    Nobody,
    /// The app of this name, for certain.
    App(String),
    /// Some website.
    Somebody,
}

/// Asks before signing out (RP-Initiated Logout 1.0 §2). Posts `fields`.
#[derive(Template)]
#[template(path = "message/sign_out.html")]
pub struct SignOut<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the button posts.
    pub action: String,
    /// Hidden fields carried along.
    pub fields: Vec<(String, String)>,
    /// The signed-in person's name, when the browser says who it is.
    pub signed_in_as: Option<String>,
    /// Who asked for it.
    pub asked_by: Asker,
    /// Where "Stay signed in" leads.
    pub stay_href: String,
}

/// Carries an authorization response to the client (OAuth 2.0 Form Post Response Mode §2).
#[derive(Template)]
#[template(path = "form_post.html")]
pub struct FormPost<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The verified `redirect_uri`.
    pub action: String,
    /// The response parameters.
    pub fields: Vec<(String, String)>,
    /// The client's name.
    pub client_name: String,
    /// The nonce of this response's `script-src`.
    pub nonce: String,
}

/// "Is this really us?": the address and the certificate, explained.
#[derive(Template)]
#[template(path = "about.html")]
pub struct About<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
}

/// All errors, each with what it means.
#[derive(Template)]
#[template(path = "errors/index.html")]
pub struct ErrorsIndex<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Code and meaning.
    pub errors: Vec<(&'static str, String)>,
}

/// One error, for developers.
#[derive(Template)]
#[template(path = "errors/error.html")]
pub struct ErrorPage<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub means: String,
    /// Who defines it.
    pub spec: Spec,
    /// What causes it.
    pub topics: Vec<ErrorTopic>,
}

/// One cause of an error.
pub struct ErrorTopic {
    /// Its anchor.
    pub id: &'static str,
    /// The cause.
    pub title: String,
    /// More of it, and what to do.
    pub text: String,
    /// Who says so.
    pub spec: Spec,
    /// A request that is refused so; empty when none shows it.
    pub wrong: String,
    /// The same as it is accepted.
    pub right: String,
}
