//! What the account pages show.

use askama::Template;

use super::{Chrome, Problem, Qr, filters};
use crate::config::{Part, Shown};

/// The account page: what stands, in short. Every action is a POST without fields.
#[derive(Template)]
#[template(path = "account/account.html")]
pub struct Account<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The person's name.
    pub name: String,
    /// What was just done: `Your password is changed.`
    pub notice: Option<String>,
    /// How far it is that her sign-in is set up anew, when somebody asked for it.
    pub recovery: Option<String>,
    /// Her e-mail address, when she may confirm it.
    pub unconfirmed: Option<String>,
    /// The newest apps with a standing consent.
    pub apps: Vec<ConnectedApp>,
    /// How many more there are; zero when all are shown.
    pub more_apps: usize,
    /// The newest signed-in browsers.
    pub sessions: Vec<SessionRow>,
    /// How many more there are.
    pub more_sessions: usize,
    /// How the person signs in.
    pub ways: Vec<WayIn>,
    /// What happened last.
    pub activity: Vec<ActivityRow>,
    /// The day when she asked to close her access, until that is decided.
    pub close_asked: Option<String>,
    /// Where "Sign out" is posted.
    pub sign_out_action: String,
}

/// A client with a standing consent.
pub struct ConnectedApp {
    /// The grant's id, used as the row's anchor.
    pub grant_id: String,
    /// The client's name.
    pub name: String,
    /// The company behind it.
    pub company: Option<String>,
    /// What it may see or do, as on the consent page.
    pub can: Vec<String>,
    /// The newest of what the person agreed to beyond that (RFC 9396).
    pub agreed: Vec<AgreedTo>,
    /// The day consent was given: `3 May 2026`.
    pub since: String,
    /// The day it ends by itself.
    pub until: String,
    /// Where "Stop sharing" leads.
    pub action: String,
}

/// Something in particular that a person agreed to, such as a payment.
pub struct AgreedTo {
    /// When: `You confirmed this on 3 May 2026`.
    pub on: String,
    /// What, as the consent page said it.
    pub shown: Shown,
}

/// A signed-in browser.
pub struct SessionRow {
    /// What it looks like: `Chrome on Linux`.
    pub label: String,
    /// The network address it signed in from.
    pub address: Option<String>,
    /// When it signed in.
    pub started: String,
    /// When it was last seen.
    pub last_seen: String,
    /// Whether it is the one showing this page.
    pub current: bool,
    /// Where "Sign out" is posted.
    pub action: String,
}

/// One way to sign in.
pub struct WayIn {
    /// Its name: `Authenticator app`.
    pub label: String,
    /// Its state: `8 left, made on 3 May 2026`.
    pub detail: Option<String>,
    /// What may be done about it: address and words.
    pub link: Option<(String, String)>,
}

/// Something that happened.
pub struct ActivityRow {
    /// A sentence, names marked as others' words: shown with `|rich`.
    pub what: String,
    /// What an app was allowed by it.
    pub can: Vec<String>,
    /// When, with what browser, from which address.
    pub from: Vec<String>,
    /// Where "This wasn't me" leads.
    pub not_me_href: Option<String>,
}

/// The ways to the neighbours of a page of a list.
#[derive(Default)]
pub struct Pages {
    /// To newer rows.
    pub newer_href: Option<String>,
    /// To older rows.
    pub older_href: Option<String>,
}

/// All connected apps.
#[derive(Template)]
#[template(path = "account/apps.html")]
pub struct Apps<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Those of this page.
    pub apps: Vec<ConnectedApp>,
    /// Its neighbours.
    pub pages: Pages,
    /// The account page.
    pub back_href: String,
}

/// All signed-in browsers.
#[derive(Template)]
#[template(path = "account/sessions.html")]
pub struct Sessions<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Those of this page.
    pub sessions: Vec<SessionRow>,
    /// Its neighbours.
    pub pages: Pages,
    /// The account page.
    pub back_href: String,
}

/// Recent activity.
#[derive(Template)]
#[template(path = "account/activity.html")]
pub struct Activity<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Newest first.
    pub rows: Vec<ActivityRow>,
    /// Back to the newest, when these are not they.
    pub newest_href: Option<String>,
    /// On to older ones.
    pub older_href: Option<String>,
    /// The account page.
    pub back_href: String,
}

/// Asks before an app's consent ends. Posts to `action`, without fields.
#[derive(Template)]
#[template(path = "account/confirm.html")]
pub struct ConfirmStop<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the button posts.
    pub action: String,
    /// The client's name.
    pub app_name: String,
    /// What it will no longer see or do.
    pub can: Vec<String>,
    /// The account page.
    pub back_href: String,
}

/// Asks whether to confirm an e-mail address, by the link that was sent there. Posts `link`.
#[derive(Template)]
#[template(path = "account/address.html")]
pub struct ConfirmAddress<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The address.
    pub address: String,
    /// The link's token.
    pub link: String,
    /// Where the button posts.
    pub action: String,
    /// The account page.
    pub back_href: String,
}

/// Changes the password. Posts `current`, `code`, `password` and `repeat`.
#[derive(Template)]
#[template(path = "account/password.html")]
pub struct ChangePassword<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The user name, for password managers; it is not posted.
    pub username: String,
    /// The code that was typed, given back when it was not used.
    pub code: String,
    /// Why the form came back; field ids `password`, `repeat`.
    pub problem: Option<Problem>,
    /// The account page.
    pub back_href: String,
}

/// New recovery codes to keep. Posts `confirm`, one of them; nothing to `cancel_action`.
#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
pub struct NewRecoveryCodes<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// Where "Keep the old codes" is posted.
    pub cancel_action: String,
    /// The user name the codes belong to, printed above them.
    pub username: String,
    /// The codes, in the order of their numbers, from 1.
    pub codes: Vec<String>,
    /// Number of the code to type, from 1.
    pub ask_index: usize,
    /// Why the form came back; field id `confirm`.
    pub problem: Option<Problem>,
}

/// "This wasn't me": says what will happen, and asks. Posts `event`, and the `field` of every
/// ticked app.
#[derive(Template)]
#[template(path = "account/not_me.html")]
pub struct NotMe<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// What was not her.
    pub about: Option<ActivityRow>,
    /// Its event.
    pub event: Option<String>,
    /// The apps that got a consent at a time that is suspect.
    pub apps: Vec<Suspect>,
    /// The passkeys and security keys that were bound at such a time.
    pub keys: Vec<Suspect>,
    /// The provider with which she is linked.
    pub linked: Option<String>,
    /// The account page.
    pub back_href: String,
}

/// An app whose consent, or a key that may not be hers.
pub struct Suspect {
    /// The name of its check box.
    pub field: String,
    /// The client's name, or the key's.
    pub name: String,
    /// When consent was given, or the key bound.
    pub since: String,
}

/// Everything is stopped; what to do now.
#[derive(Template)]
#[template(path = "account/disputed.html")]
pub struct DisputeDone<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Whether a key that she named still opens her account, because there is nothing else.
    pub still_open: bool,
    /// Where she signs in again.
    pub sign_in_href: String,
}

/// Adds a passkey or a security key. Posts `kind`, `name`, and a proof.
#[derive(Template)]
#[template(path = "account/add_passkey.html")]
pub struct AddPasskey<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// Whether a security key was chosen.
    pub security_key: bool,
    /// The name that was typed.
    pub name: String,
    /// Why the form came back; it names no field.
    pub problem: Option<Problem>,
    /// The account page.
    pub back_href: String,
}

/// The device makes the key. Posts `credential`.
#[derive(Template)]
#[template(path = "account/new_passkey.html")]
pub struct NewPasskey<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// Whether it is a second factor only.
    pub security_key: bool,
    /// `PublicKeyCredentialCreationOptions`, as JSON.
    pub options: String,
    /// The account page.
    pub back_href: String,
}

/// One passkey or security key. Posts `name` to `rename_action`, a proof to `remove_action`.
#[derive(Template)]
#[template(path = "account/passkey.html")]
pub struct OnePasskey<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// What it is called.
    pub label: String,
    /// What is known of it.
    pub detail: String,
    /// The name that she gave it, or typed.
    pub name: String,
    /// Where the name is posted.
    pub rename_action: String,
    /// Where its removal is posted.
    pub remove_action: String,
    /// Why the form came back; field id `name`.
    pub problem: Option<Problem>,
    /// The account page.
    pub back_href: String,
}

/// Asks for a fresh proof before something is done. Posts `current` and `code`.
#[derive(Template)]
#[template(path = "account/prove.html")]
pub struct AskProof<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// The heading.
    pub heading: String,
    /// What will be done, each a paragraph.
    pub what: Vec<String>,
    /// The words of the button.
    pub button: String,
    /// Where the form is posted.
    pub action: String,
    /// Why the form came back; it names no field.
    pub problem: Option<Problem>,
    /// The account page.
    pub back_href: String,
}

/// Another authenticator app. Posts `code`.
#[derive(Template)]
#[template(path = "account/new_app.html")]
pub struct NewApp<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The picture to scan.
    pub qr: Qr,
    /// The key in groups of four letters.
    pub key_groups: Vec<String>,
    /// What the app calls the account.
    pub account_label: String,
    /// The same as a link.
    pub otpauth_url: String,
    /// Why the form came back; field id `code`.
    pub problem: Option<Problem>,
    /// The account page.
    pub back_href: String,
}

/// She asked to close her access. Posts to `action`, without fields.
#[derive(Template)]
#[template(path = "account/close_asked.html")]
pub struct CloseAsked<'a> {
    /// What surrounds the page.
    pub chrome: &'a Chrome,
    /// Since when: `3 May 2026`.
    pub since: String,
    /// Where "Take it back" is posted.
    pub action: String,
    /// The account page.
    pub back_href: String,
}
