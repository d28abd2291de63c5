//! Pocket Budget's calls to the bank's accounts API.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::demo::accounts::{Account, Movement};
use crate::secret::Secret;

/// Where the API is, and how it is called.
pub struct AccountsApi {
    /// Its origin, such as `http://127.0.0.1:9402`.
    pub origin: String,
    /// How it is called.
    pub http: reqwest::Client,
}

/// Why the API tells nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is no longer good (401).
    Token,
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

    async fn get<T: DeserializeOwned>(&self, path: &str, token: &Secret) -> Result<T, Refused> {
        let broken = |error: reqwest::Error| Refused::Broken(error.to_string());
        let url = format!("{}{path}", self.origin);
        let ask = self.http.get(url).bearer_auth(token.expose());
        let response = ask.send().await.map_err(broken)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(broken),
            StatusCode::UNAUTHORIZED => Err(Refused::Token),
            StatusCode::FORBIDDEN => Err(Refused::Scope),
            status => Err(Refused::Broken(format!(
                "the accounts API answers {status}"
            ))),
        }
    }
}
