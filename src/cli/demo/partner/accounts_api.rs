//! Pocket Budget's calls to the bank's accounts API.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::Keys;
use crate::cli::demo::accounts::{Account, Movement};
use crate::secret::Secret;

/// Where the API is, and how it is called.
pub struct AccountsApi {
    /// Its origin, such as `http://127.0.0.1:9402`.
    pub origin: String,
    /// How it is called.
    pub http: reqwest::Client,
    /// What tokens are bound to, with `--fapi`.
    pub keys: Option<Arc<Keys>>,
}

/// Why the API tells nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is no longer good (401).
    Token,
    /// The person must prove more than she did (401 with `insufficient_user_authentication`); these
    /// `acr_values` do.
    Proof(String),
    /// The token does not reach there (403).
    Scope,
    /// It does not answer, or not as documented; for the developer.
    Broken(String),
}

#[derive(Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Transactions {
    transactions: Vec<Movement>,
}

#[derive(Deserialize)]
struct Card {
    card_number: String,
}

/// What a challenge asks for (RFC 6750 §3, RFC 9470 §3).
fn refusal(challenge: &str) -> Refused {
    let value = |name: &str| {
        let rest = challenge.split_once(&format!("{name}=\""))?.1;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    match (value(" error").as_deref(), value("acr_values")) {
        (Some("insufficient_user_authentication"), Some(acr)) => Refused::Proof(acr),
        _ => Refused::Token,
    }
}

impl AccountsApi {
    /// The person's accounts.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn accounts(&self, token: &Secret) -> Result<Vec<Account>, Refused> {
        let found: Accounts = self.get("/accounts", token).await?;
        Ok(found.accounts)
    }

    /// The movements of one of them.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn transactions(
        &self,
        account: &str,
        token: &Secret,
    ) -> Result<Vec<Movement>, Refused> {
        let path = format!("/accounts/{account}/transactions");
        let found: Transactions = self.get(&path, token).await?;
        Ok(found.transactions)
    }

    /// The number of an account's card.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn card(&self, account: &str, token: &Secret) -> Result<String, Refused> {
        let found: Card = self
            .get(&format!("/accounts/{account}/card"), token)
            .await?;
        Ok(found.card_number)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, token: &Secret) -> Result<T, Refused> {
        let broken = |error: reqwest::Error| Refused::Broken(error.to_string());
        let url = format!("{}{path}", self.origin);
        let ask = match &self.keys {
            None => self.http.get(url).bearer_auth(token.expose()),
            Some(keys) => match keys.get(&self.http, &url, token) {
                Ok(ask) => ask,
                Err(trouble) => return Err(Refused::Broken(trouble.to_string())),
            },
        };
        let response = ask.send().await.map_err(broken)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(broken),
            StatusCode::UNAUTHORIZED => {
                let challenge = response.headers().get(WWW_AUTHENTICATE);
                let challenge = challenge.and_then(|value| value.to_str().ok());
                Err(refusal(challenge.unwrap_or_default()))
            }
            StatusCode::FORBIDDEN => Err(Refused::Scope),
            status => Err(Refused::Broken(format!(
                "the accounts API answers {status}"
            ))),
        }
    }
}
