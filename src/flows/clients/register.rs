//! The register of clients: what an institution tells its auditors about the third parties it lets
//! in (Regulation (EU) 2022/2554, Article 28(3), asks for such a register).

use rules::protocol::{Client, ClientAuth};
use rules::time::Timestamp;

use super::method;
use crate::app::App;
use crate::fault::Fault;
use crate::store::{clients, resources};

/// A line of the register.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The client.
    pub client: Client,
    /// Since when it is registered.
    pub registered_at: Timestamp,
    /// The resources that it introspects tokens for.
    pub resources: Vec<String>,
}

/// How a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may act.
    Enabled,
    /// It was stopped, and may be enabled again.
    Disabled,
    /// It is gone.
    Removed,
}

impl Status {
    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

impl Entry {
    /// How the client stands, and since when.
    #[must_use]
    pub fn status(&self) -> (Status, Timestamp) {
        match (self.client.removed_at, self.client.disabled_at) {
            (Some(at), _) => (Status::Removed, at),
            (None, Some(at)) => (Status::Disabled, at),
            (None, None) => (Status::Enabled, self.registered_at),
        }
    }

    /// How it proves who it is; `-` when it is gone.
    #[must_use]
    pub fn authentication(&self) -> &'static str {
        match (&self.client.auth, self.client.removed_at) {
            (ClientAuth::Secret { .. }, Some(_)) => "-",
            (auth, _) => method(auth),
        }
    }
}

/// Every client there ever was, by id.
///
/// # Errors
/// [`Fault`].
pub async fn register_of_all(app: &App) -> Result<Vec<Entry>, Fault> {
    let (all, owned) = app
        .store
        .read(|tx| {
            Box::pin(async move { Ok((clients::dated(tx).await?, resources::all(tx).await?)) })
        })
        .await?;
    let entry = |(client, registered_at): (Client, Timestamp)| Entry {
        resources: owned
            .iter()
            .filter(|resource| resource.client_id == client.id)
            .map(|resource| resource.uri.clone())
            .collect(),
        client,
        registered_at,
    };
    Ok(all.into_iter().map(entry).collect())
}
