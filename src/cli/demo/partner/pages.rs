//! What Pocket Budget's pages show: one struct a template.

use askama::Template;
use axum::http::StatusCode;

use crate::cli::demo::accounts::{Account, Movement};
use crate::words::{Lang, Words};

/// A page with the status that it is answered with.
pub trait Page: Template {
    /// 200 unless something else is said.
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }
}

/// Nobody has connected a bank.
#[derive(Template)]
#[template(path = "demo/home.html")]
pub struct Home<'a> {
    /// The page's texts.
    pub say: Words,
    /// The bank that can be connected.
    pub bank: &'a str,
}

impl Page for Home<'_> {}

/// The accounts.
#[derive(Template)]
#[template(path = "demo/accounts.html")]
pub struct Accounts<'a> {
    /// The page's texts.
    pub say: Words,
    /// Where they are.
    pub bank: &'a str,
    /// Where the bank lists connected apps.
    pub manage: String,
    /// Whose they are, when that is known.
    pub name: Option<&'a str>,
    /// Whether transactions are shared.
    pub transactions: bool,
    /// Each of them.
    pub rows: Vec<AccountView>,
    /// What just happened.
    pub strip: Option<Strip>,
}

impl Page for Accounts<'_> {}

/// One account, ready to read.
pub struct AccountView {
    /// Its identifier.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Its number in groups of four.
    pub iban: String,
    /// What is on it.
    pub balance: String,
    /// Its movements, when they are shared.
    pub movements: Option<Vec<MovementView>>,
}

/// One movement, ready to read.
pub struct MovementView {
    /// The day.
    pub date: String,
    /// With whom.
    pub counterparty: String,
    /// How much.
    pub amount: String,
    /// Whether it went out.
    pub out: bool,
}

impl AccountView {
    /// An account and, when they are shared, its movements.
    pub fn new(account: &Account, movements: Option<&[Movement]>, lang: Lang) -> Self {
        let shown = |all: &[Movement]| {
            let one = |movement| MovementView::new(movement, lang);
            all.iter().map(one).collect()
        };
        Self {
            id: account.id.clone(),
            name: account.name.clone(),
            iban: account.iban_shown(),
            balance: account.balance.shown(lang),
            movements: movements.map(shown),
        }
    }
}

impl MovementView {
    fn new(movement: &Movement, lang: Lang) -> Self {
        Self {
            date: movement.date.clone(),
            counterparty: movement.counterparty.clone(),
            amount: movement.amount.shown(lang),
            out: movement.amount.is_negative(),
        }
    }
}

/// "What just happened": what the three parties know of one another.
pub struct Strip {
    /// The person's name.
    pub person: String,
    /// Her e-mail address.
    pub email: String,
    /// `sub`.
    pub subject: String,
    /// How she was authenticated.
    pub assurance: String,
    /// The app's `client_id`.
    pub client_id: String,
    /// The beginning of the access token.
    pub access_token: String,
    /// The beginning of the refresh token.
    pub refresh_token: Option<String>,
    /// The API's resource identifier.
    pub api: String,
    /// What was granted.
    pub scopes: Vec<String>,
    /// What the API was told about the token, as JSON.
    pub introspection: Option<String>,
    /// The newest audit events about the app, as the log keeps them.
    pub audit: Vec<String>,
}

/// Something to tell instead of accounts.
#[derive(Template)]
#[template(path = "demo/message.html")]
pub struct Message<'a> {
    status: StatusCode,
    /// The page's texts.
    pub say: Words,
    /// The bank.
    pub bank: &'a str,
    /// What happened.
    pub title: String,
    /// What that means, and what to do.
    pub text: String,
    /// For the developer.
    pub detail: Option<String>,
    /// What the button says.
    pub again: String,
    /// What just happened.
    pub strip: Option<Strip>,
}

impl Page for Message<'_> {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl<'a> Message<'a> {
    fn new(say: Words, bank: &'a str, (title, text): (String, String)) -> Self {
        Self {
            status: StatusCode::OK,
            say,
            bank,
            title,
            text,
            detail: None,
            again: say.demo_again(),
            strip: None,
        }
    }

    /// The person said no.
    pub fn denied(say: Words, bank: &'a str) -> Self {
        Self {
            again: say.demo_connect(),
            ..Self::new(say, bank, (say.demo_denied(), say.demo_denied_text(bank)))
        }
    }

    /// What only a strong proof shows.
    pub fn card(say: Words, bank: &'a str, number: &str) -> Self {
        let text = say.demo_card_text(bank, number);
        Self::new(say, bank, (say.demo_card_title(), text))
    }

    /// The person, or the bank, stopped it.
    pub fn stopped(say: Words, bank: &'a str, strip: Strip) -> Self {
        Self {
            strip: Some(strip),
            ..Self::new(say, bank, (say.demo_stopped(), say.demo_stopped_text(bank)))
        }
    }

    /// The person stopped it here.
    pub fn disconnected(say: Words, bank: &'a str, strip: Strip) -> Self {
        let text = say.demo_disconnected_text(bank);
        Self {
            strip: Some(strip),
            ..Self::new(say, bank, (say.demo_disconnected(), text))
        }
    }

    /// She signed out here and at the bank.
    pub fn signed_out(say: Words, bank: &'a str) -> Self {
        let text = say.demo_signed_out_text(bank);
        Self::new(say, bank, (say.demo_signed_out(), text))
    }

    /// The token is good, but accounts are not part of what is shared.
    pub fn not_shared(say: Words, bank: &'a str) -> Self {
        let text = say.demo_not_shared_text(bank);
        Self::new(say, bank, (say.demo_not_shared(), text))
    }

    /// The answer belongs to nothing that this browser asked for.
    pub fn waited_too_long(say: Words, bank: &'a str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            again: say.demo_late_again(),
            ..Self::new(say, bank, (say.demo_late(), say.demo_late_text()))
        }
    }

    /// Something is wrong that no person can mend.
    pub fn broken(say: Words, bank: &'a str, why: String) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            detail: Some(why),
            again: say.demo_broken_again(),
            ..Self::new(say, bank, (say.demo_broken(), say.demo_broken_text(bank)))
        }
    }
}
