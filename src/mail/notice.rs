//! What is written: one text for each thing that a person is told of, in her language, as plain text
//! and in the look of the pages. A notice holds no secret but a one-time link.

use askama::Template;
use rules::audit::Kind;
use rules::time::Timestamp;

use super::letter::one_line;
use crate::config::Institution;
use crate::words::{Words, isolate};

/// What is known of what happened.
pub struct Facts<'a> {
    /// What happened.
    pub kind: Kind,
    /// The language to tell it in.
    pub say: Words,
    /// Who tells it.
    pub institution: &'a Institution,
    /// This server's address.
    pub issuer: &'a str,
    /// What to call the person.
    pub name: String,
    /// Whether her account was disabled then, so that she cannot sign in.
    pub stopped: bool,
    /// When it happened.
    pub at: Timestamp,
    /// The `User-Agent` it was done with.
    pub agent: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
    /// The app it concerns.
    pub app: Option<String>,
    /// A one-time link.
    pub link: Option<String>,
    /// Until when it is good, or when something begins.
    pub until: Option<Timestamp>,
}

/// What a letter says.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its subject.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// Whether every event of this kind that is about a person is told to her. Of sign-ins, refusals,
/// invitations, changes by operators and re-proofings only some are, or with more words.
#[must_use]
pub const fn tells(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::UserActivated
            | Kind::UserDisputed
            | Kind::PasswordChanged
            | Kind::PasswordEnded
            | Kind::RecoveryCodeUsed
            | Kind::RecoveryCodesReplaced
            | Kind::PasskeyAdded
            | Kind::PasskeyRemoved
            | Kind::PasskeyBlocked
            | Kind::AppReplaced
            | Kind::UpstreamLinked
            | Kind::UpstreamUnlinked
            | Kind::ConsentGiven
            | Kind::RefreshReused
            | Kind::DataExported
            | Kind::CloseAsked
            | Kind::CloseTakenBack
    )
}

/// Whether there are words for events of this kind: those of which she is told, always or sometimes.
#[must_use]
pub const fn may_tell(kind: Kind) -> bool {
    tells(kind)
        || matches!(
            kind,
            Kind::UserInvited
                | Kind::AddressAsked
                | Kind::UserChanged
                | Kind::UserClosed
                | Kind::SignInSucceeded
                | Kind::SignInRefused
                | Kind::ConfirmationRefused
                | Kind::RecoveryBegun
                | Kind::RecoveryApproved
                | Kind::RecoveryCancelled
                | Kind::RecoveryFinished
        )
}

/// Writes it; none for what nobody is told of.
#[must_use]
pub fn compose(facts: &Facts<'_>) -> Option<Notice> {
    let say = facts.say;
    let (heading, what) = words(facts)?;
    let fact = |label: String, value: Option<String>| Some((label, theirs(&value?)));
    let browser = facts.agent.as_ref().map(|agent| say.browser(agent));
    let mut rows = vec![(say.mail_when(), say.date_and_time(facts.at))];
    rows.extend(fact(say.mail_app(), facts.app.clone()));
    rows.extend(fact(say.mail_browser(), browser));
    rows.extend(fact(say.mail_address(), facts.address.clone()));
    // Whoever cannot sign in there is not sent there.
    let shut = facts.stopped || facts.kind == Kind::UserClosed;
    let link = match &facts.link {
        Some(link) if facts.kind == Kind::AddressAsked => {
            Some((link.clone(), say.address_confirm()))
        }
        Some(link) => Some((link.clone(), say.mail_invited_begin())),
        None if shut => None,
        None => Some((format!("{}/account", facts.issuer), say.mail_account())),
    };
    let phone = facts.institution.help_phone.as_deref();
    let doubt = match (facts.kind, phone) {
        (Kind::UserInvited, _) => say.mail_not_expected(),
        (Kind::AddressAsked, _) => say.mail_not_hers(),
        (_, Some(phone)) if shut => say.mail_not_asked_call(phone),
        (_, None) if shut => say.mail_not_asked(),
        (_, Some(phone)) => say.mail_not_you_call(phone),
        (_, None) => say.mail_not_you(),
    };
    let page = Page {
        lang: say.lang.tag(),
        dir: say.lang.dir(),
        institution: one_line(&facts.institution.name),
        colour: facts.institution.colours.light.to_string(),
        hello: say.mail_hello(theirs(&facts.name)),
        heading: &heading,
        what: &what,
        rows: &rows,
        link: link.as_ref(),
        doubt: &doubt,
        never: say.mail_never(facts.issuer),
    };
    let text = Text { page: &page };
    Some(Notice {
        text: text.render().ok()?,
        html: page.render().ok()?,
        subject: one_line(&heading),
    })
}

/// What somebody else wrote, on one line, with a writing direction of its own.
fn theirs(text: &str) -> String {
    isolate(&one_line(text))
}

/// What a test says.
#[must_use]
pub fn test_notice(say: Words, institution: &Institution) -> Notice {
    let what = say.mail_test_what(one_line(&institution.name));
    let escaped = askama::filters::escape(&what, askama::filters::Html);
    Notice {
        subject: say.mail_test(),
        html: escaped.map_or_else(|_| String::new(), |what| format!("<p>{what}</p>")),
        text: what,
    }
}

/// The heading, which is the subject too, and what happened.
fn words(facts: &Facts<'_>) -> Option<(String, String)> {
    let say = facts.say;
    let app = || theirs(facts.app.as_deref().unwrap_or_default());
    let until = || {
        facts
            .until
            .map_or_else(String::new, |at| say.date_and_time(at))
    };
    Some(match facts.kind {
        Kind::UserInvited => (
            say.mail_invited(),
            say.mail_invited_what(facts.institution.name.as_str(), until()),
        ),
        Kind::AddressAsked => (say.address_confirm(), say.mail_address_what(until())),
        Kind::UserActivated => (say.mail_activated(), say.mail_activated_what()),
        Kind::UserChanged => (say.mail_moved(), say.mail_moved_what()),
        Kind::UserDisputed => (say.mail_disputed(), say.mail_disputed_what()),
        Kind::SignInSucceeded => (say.mail_new_device(), say.mail_new_device_what()),
        Kind::SignInRefused => (say.mail_attempts(), say.mail_attempts_what()),
        Kind::ConfirmationRefused => (say.mail_inside(), say.mail_inside_what()),
        Kind::PasswordChanged => (say.mail_password(), say.mail_password_what()),
        Kind::PasswordEnded => (say.mail_password_ended(), say.mail_password_ended_what()),
        Kind::RecoveryCodeUsed => (say.mail_code_used(), say.mail_code_used_what()),
        Kind::RecoveryCodesReplaced => (say.mail_codes(), say.mail_codes_what()),
        Kind::PasskeyAdded => (say.mail_key_added(), say.mail_key_added_what()),
        Kind::PasskeyRemoved => (say.mail_key_removed(), say.mail_key_removed_what()),
        Kind::PasskeyBlocked => (say.mail_key_blocked(), say.mail_key_blocked_what()),
        Kind::AppReplaced => (say.mail_authenticator(), say.mail_authenticator_what()),
        Kind::UpstreamLinked => (say.mail_linked(), say.mail_linked_what()),
        Kind::UpstreamUnlinked => (say.mail_unlinked(), say.mail_unlinked_what()),
        Kind::ConsentGiven => (say.mail_shared(app()), say.mail_shared_what(app())),
        Kind::RefreshReused => (say.mail_reused(app()), say.mail_reused_what(app())),
        Kind::RecoveryBegun if facts.stopped => {
            (say.mail_recovery(), say.mail_recovery_stopped(until()))
        }
        Kind::RecoveryBegun => (say.mail_recovery(), say.mail_recovery_what(until())),
        Kind::RecoveryApproved if facts.stopped => {
            (say.mail_recovery_ready(), say.mail_recovery_ready_stopped())
        }
        Kind::RecoveryApproved => (say.mail_recovery_ready(), say.mail_recovery_ready_what()),
        Kind::RecoveryCancelled => (say.mail_recovery_off(), say.mail_recovery_off_what()),
        Kind::RecoveryFinished => (say.mail_recovered(), say.mail_recovered_what()),
        Kind::DataExported => (say.mail_data(), say.mail_data_what()),
        Kind::CloseAsked => (say.mail_close(), say.mail_close_what()),
        Kind::CloseTakenBack => (say.mail_open(), say.mail_open_what()),
        Kind::UserClosed => (say.mail_closed(), say.mail_closed_what()),
        _ => return None,
    })
}

/// As HTML. Mail programs load no style sheet, so its styles stand in it.
#[derive(Template)]
#[template(path = "mail/notice.html")]
struct Page<'a> {
    lang: &'static str,
    dir: &'static str,
    institution: String,
    colour: String,
    hello: String,
    heading: &'a str,
    what: &'a str,
    rows: &'a [(String, String)],
    link: Option<&'a (String, String)>,
    doubt: &'a str,
    never: String,
}

/// As plain text.
#[derive(Template)]
#[template(path = "mail/notice.txt")]
struct Text<'a> {
    page: &'a Page<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::InstitutionFile;
    use crate::words::Lang;

    fn facts(institution: &Institution, kind: Kind, lang: Lang) -> Facts<'_> {
        Facts {
            kind,
            say: lang.words(),
            institution,
            issuer: "https://login.bank.example",
            name: "Ada <b>\r\nLovelace".to_owned(),
            stopped: false,
            at: Timestamp::from_secs(1_800_000_000),
            agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            app: Some("Pocket <i>Budget".to_owned()),
            link: None,
            until: None,
        }
    }

    #[test]
    fn everything_that_is_told_has_words_in_every_language() {
        let institution = InstitutionFile::default().check().unwrap();
        for kind in Kind::ALL.iter().filter(|kind| may_tell(**kind)) {
            for lang in Lang::ALL {
                let notice = compose(&facts(&institution, *kind, lang)).unwrap();
                assert!(!notice.subject.is_empty(), "{kind}");
                let leads = notice.text.contains("https://login.bank.example/account");
                assert_eq!(leads, *kind != Kind::UserClosed, "{kind}");
                assert!(notice.html.contains("Firefox"), "{kind}: {}", notice.html);
            }
        }
        for kind in Kind::ALL.iter().filter(|kind| !may_tell(**kind)) {
            let notice = compose(&facts(&institution, *kind, Lang::En));
            assert!(notice.is_none(), "{kind} is not said to be told");
        }
    }

    #[test]
    fn whoever_cannot_sign_in_is_told_to_call() {
        let institution = InstitutionFile::default().check().unwrap();
        let mut facts = facts(&institution, Kind::RecoveryBegun, Lang::En);
        facts.stopped = true;
        let notice = compose(&facts).unwrap();
        assert!(notice.text.contains("call us"), "{}", notice.text);
        assert!(!notice.text.contains("/account"), "{}", notice.text);
    }

    #[test]
    fn an_apps_name_turns_nothing_around() {
        let institution = InstitutionFile::default().check().unwrap();
        let mut facts = facts(&institution, Kind::ConsentGiven, Lang::En);
        facts.app = Some("\u{202e}tegduB".to_owned());
        let notice = compose(&facts).unwrap();
        assert!(!notice.subject.contains('\u{202e}'));
        assert!(
            notice.text.contains("\u{2068}tegduB\u{2069}"),
            "{}",
            notice.text
        );
    }

    #[test]
    fn what_others_wrote_is_no_markup_and_ends_no_line() {
        let institution = InstitutionFile::default().check().unwrap();
        let notice = compose(&facts(&institution, Kind::ConsentGiven, Lang::En)).unwrap();
        assert!(!notice.html.contains("<i>") && !notice.html.contains("<b>\r"));
        assert!(notice.text.contains("Ada <b>  Lovelace"), "{}", notice.text);
    }
}
