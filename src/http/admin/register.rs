//! The register of clients, as auditors read it: JSON, or CSV (RFC 4180).

use serde::{Deserialize, Serialize};

use super::view::date;
use crate::flows::clients::Entry;

/// A client in the register. Times are RFC 3339, UTC; lists are separated by spaces, contacts by
/// `; `.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegisterEntry {
    /// `client_id`; never given to another client.
    pub client_id: String,
    /// Its name, as people read it.
    pub client_name: String,
    /// `enabled`, `disabled` or `removed`.
    pub status: String,
    /// Since when that is so.
    pub status_since: String,
    /// Since when it is registered.
    pub registered_at: String,
    /// The legal entity behind it, or empty.
    pub legal_entity: String,
    /// Its licence, or empty.
    pub licence: String,
    /// Where it keeps people's data (ISO 3166-1 alpha-2), or empty.
    pub hosting_country: String,
    /// How those responsible for it are reached.
    pub contacts: String,
    /// Its home page, or empty.
    pub client_uri: String,
    /// Its privacy policy, or empty.
    pub policy_uri: String,
    /// Its terms of service, or empty.
    pub tos_uri: String,
    /// Which rules it lives by.
    pub profile: String,
    /// How it proves who it is.
    pub authentication: String,
    /// Which grants it may use.
    pub grant_types: String,
    /// What it may ask for.
    pub scope: String,
    /// Where people are sent back to.
    pub redirect_uris: String,
    /// The APIs that it introspects tokens for.
    pub resources: String,
}

impl RegisterEntry {
    /// The names of the columns, the same as the members of the JSON.
    pub const COLUMNS: [&str; 18] = [
        "client_id",
        "client_name",
        "status",
        "status_since",
        "registered_at",
        "legal_entity",
        "licence",
        "hosting_country",
        "contacts",
        "client_uri",
        "policy_uri",
        "tos_uri",
        "profile",
        "authentication",
        "grant_types",
        "scope",
        "redirect_uris",
        "resources",
    ];

    /// What stands in the columns, in their order.
    #[must_use]
    pub fn values(&self) -> [&str; 18] {
        [
            &self.client_id,
            &self.client_name,
            &self.status,
            &self.status_since,
            &self.registered_at,
            &self.legal_entity,
            &self.licence,
            &self.hosting_country,
            &self.contacts,
            &self.client_uri,
            &self.policy_uri,
            &self.tos_uri,
            &self.profile,
            &self.authentication,
            &self.grant_types,
            &self.scope,
            &self.redirect_uris,
            &self.resources,
        ]
    }
}

impl From<Entry> for RegisterEntry {
    fn from(entry: Entry) -> Self {
        let (status, since) = entry.status();
        let authentication = entry.authentication().to_owned();
        let Entry {
            client,
            registered_at,
            resources,
        } = entry;
        let grants: Vec<_> = client.grant_types.iter().map(|one| one.as_str()).collect();
        let metadata = client.metadata;
        Self {
            client_id: client.id,
            client_name: client.name,
            status: status.as_str().to_owned(),
            status_since: date(since),
            registered_at: date(registered_at),
            legal_entity: metadata.legal_entity.unwrap_or_default(),
            licence: metadata.licence.unwrap_or_default(),
            hosting_country: metadata.hosting_country.unwrap_or_default(),
            contacts: metadata.contacts.join("; "),
            client_uri: metadata.client_uri.unwrap_or_default(),
            policy_uri: metadata.policy_uri.unwrap_or_default(),
            tos_uri: metadata.tos_uri.unwrap_or_default(),
            profile: client.profile.as_str().to_owned(),
            authentication,
            grant_types: grants.join(" "),
            scope: client.scopes.to_string(),
            redirect_uris: client.redirect_uris.join(" "),
            resources: resources.join(" "),
        }
    }
}
