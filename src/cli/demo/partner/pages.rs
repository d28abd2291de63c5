//! What Pocket Budget's pages show: one struct a template.

use askama::Template;
use axum::http::StatusCode;

use crate::cli::demo::accounts::{Account, Movement};

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
    /// The bank that can be connected.
    pub bank: &'a str,
}

impl Page for Home<'_> {}

/// The accounts.
#[derive(Template)]
#[template(path = "demo/accounts.html")]
pub struct Accounts<'a> {
    /// Where they are.
    pub bank: &'a str,
    /// Where the bank lists connected apps.
    pub manage: String,
    /// Whose they are.
    pub name: &'a str,
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
    pub fn new(account: &Account, movements: Option<&[Movement]>) -> Self {
        Self {
            id: account.id.clone(),
            name: account.name.clone(),
            iban: account.iban_shown(),
            balance: account.balance.shown(),
            movements: movements.map(|found| found.iter().map(MovementView::new).collect()),
        }
    }
}

impl MovementView {
    fn new(movement: &Movement) -> Self {
        Self {
            date: movement.date.clone(),
            counterparty: movement.counterparty.clone(),
            amount: movement.amount.shown(),
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
    /// The bank.
    pub bank: &'a str,
    /// What happened.
    pub title: &'static str,
    /// What that means, and what to do.
    pub text: String,
    /// For the developer.
    pub detail: Option<String>,
    /// What the button says.
    pub again: &'static str,
    /// What just happened.
    pub strip: Option<Strip>,
}

impl Page for Message<'_> {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl<'a> Message<'a> {
    fn new(bank: &'a str, title: &'static str, text: String) -> Self {
        Self {
            status: StatusCode::OK,
            bank,
            title,
            text,
            detail: None,
            again: "Connect your bank",
            strip: None,
        }
    }

    /// The person said no.
    pub fn denied(bank: &'a str) -> Self {
        let text = format!(
            "You chose not to share, so {bank} told us nothing. You can connect it whenever you like."
        );
        Self::new(bank, "Nothing was shared", text)
    }

    /// What only a strong proof shows.
    pub fn card(bank: &'a str, number: &str) -> Self {
        let text =
            format!("{bank} shows it to us because you proved who you are with a key: {number}");
        Self {
            again: "Connect again",
            ..Self::new(bank, "The number of your card", text)
        }
    }

    /// The person, or the bank, stopped it.
    pub fn stopped(bank: &'a str, strip: Strip) -> Self {
        let text = format!(
            "{bank} no longer shows us your accounts, and we have forgotten what we knew. Connect \
             it again if you want them back."
        );
        Self {
            again: "Connect again",
            strip: Some(strip),
            ..Self::new(bank, "Your bank says you stopped sharing", text)
        }
    }

    /// The person stopped it here.
    pub fn disconnected(bank: &'a str, strip: Strip) -> Self {
        let text =
            format!("We gave our access back to {bank}. We can no longer see your accounts.");
        Self {
            again: "Connect again",
            strip: Some(strip),
            ..Self::new(bank, "Your bank is disconnected", text)
        }
    }

    /// She signed out here and at the bank.
    pub fn signed_out(bank: &'a str) -> Self {
        let text = format!("You are signed out here and at {bank}. What you share stays shared.");
        Self {
            again: "Connect again",
            ..Self::new(bank, "You are signed out", text)
        }
    }

    /// The token is good, but accounts are not part of what is shared.
    pub fn not_shared(bank: &'a str) -> Self {
        let text = format!("{bank} says that you do not share your accounts with us.");
        Self {
            again: "Connect again",
            ..Self::new(bank, "Your accounts are not shared", text)
        }
    }

    /// The answer belongs to nothing that this browser asked for.
    pub fn waited_too_long(bank: &'a str) -> Self {
        let text = "This page waited too long, or belongs to another tab. Nothing was shared.";
        Self {
            status: StatusCode::BAD_REQUEST,
            again: "Start again",
            ..Self::new(bank, "Please start again", text.to_owned())
        }
    }

    /// Something is wrong that no person can mend.
    pub fn broken(bank: &'a str, why: String) -> Self {
        let text = format!("We could not finish this with {bank}. Please try again in a minute.");
        Self {
            status: StatusCode::BAD_GATEWAY,
            detail: Some(why),
            again: "Try again",
            ..Self::new(bank, "That did not work", text)
        }
    }
}
