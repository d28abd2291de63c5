//! Resources (RFC 8707): the institution's APIs, and the scopes each of them owns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::Format;
use super::scope::Scopes;
use crate::identity::Acr;

/// An API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// Its identifier: an absolute URI without a fragment.
    pub uri: String,
    /// Its name, for people.
    pub name: String,
    /// The same in other languages, by BCP 47 tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Whether nothing that can be asked of it moves money or changes anything; people are told so.
    #[serde(default)]
    pub read_only: bool,
    /// The client that may introspect tokens for it.
    pub client_id: String,
    /// What can be asked of it.
    pub scopes: Vec<ScopeInfo>,
    /// What the institution requires of people behind its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_acr: Option<Acr>,
    /// How its access tokens look.
    #[serde(default)]
    pub token_format: Format,
    /// How long its access tokens live, in seconds.
    pub access_token_lifetime: u32,
}

/// A scope, as people are told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeInfo {
    /// The scope token.
    pub name: String,
    /// What it lets an app do, as a short sentence: "See your accounts and balances".
    pub title: String,
    /// The same in other languages, by BCP 47 tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub titles: BTreeMap<String, String>,
    /// More, when more must be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether a person may leave it out and still go on.
    #[serde(default)]
    pub optional: bool,
    /// What the institution requires of people behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_acr: Option<Acr>,
}

impl ScopeInfo {
    /// What it lets an app do, in a language when it is registered in it.
    #[must_use]
    pub fn title_in(&self, tag: &str) -> &str {
        self.titles.get(tag).unwrap_or(&self.title)
    }
}

impl Resource {
    /// Its name, in a language when it is registered in it.
    #[must_use]
    pub fn name_in(&self, tag: &str) -> &str {
        self.names.get(tag).unwrap_or(&self.name)
    }

    /// Whether this resource owns `scope`.
    #[must_use]
    pub fn owns(&self, scope: &str) -> bool {
        self.scopes.iter().any(|info| info.name == scope)
    }

    /// Those of `scopes` that are this resource's.
    #[must_use]
    pub fn own(&self, scopes: &Scopes) -> Scopes {
        scopes.filter(|scope| self.owns(scope))
    }
}

/// Whether `uri` can name a resource (RFC 8707 §2): absolute, without a fragment.
#[must_use]
pub fn is_identifier(uri: &str) -> bool {
    uri.len() <= 1000 && !uri.contains('#') && uri.is_ascii() && url::Url::parse(uri).is_ok()
}
