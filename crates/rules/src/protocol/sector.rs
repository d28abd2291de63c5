//! Pairwise subjects (OpenID Connect Core §8.1): whose clients learn the same `sub` of a person.
//!
//! The standard has the server fetch `sector_identifier_uri` and look for the redirect URIs in what
//! it says. This server calls nobody while a client is registered: the operator, who registers it,
//! vouches that the sector is the client's own.

use std::collections::BTreeSet;

use url::Url;

use super::client::Client;
use super::client_metadata::SubjectType;

impl Client {
    /// The host that stands for its sector; none for a client that learns the public `sub`.
    #[must_use]
    pub fn sector(&self) -> Option<String> {
        if self.metadata.subject_type == SubjectType::Public {
            return None;
        }
        match &self.metadata.sector_identifier_uri {
            Some(uri) => host(uri),
            // Without a host of its own it is a sector of its own. [`check`] keeps such a client
            // out; were there one, nobody could compare its people with another's.
            None => Some(only_host(self).unwrap_or_else(|| format!("client:{}", self.id))),
        }
    }
}

/// Whether the sector of a client with pairwise subjects is known.
///
/// # Errors
/// A sentence that says what to register.
pub fn check(client: &Client) -> Result<(), String> {
    let metadata = &client.metadata;
    match (metadata.subject_type, &metadata.sector_identifier_uri) {
        (SubjectType::Public, _) => Ok(()),
        (SubjectType::Pairwise, Some(uri)) if host(uri).is_some() => Ok(()),
        (SubjectType::Pairwise, Some(_)) => {
            Err("the sector identifier must be a URL with a host".to_owned())
        }
        (SubjectType::Pairwise, None) if only_host(client).is_some() => Ok(()),
        // OpenID Connect Core §8.1: more than one host needs a sector identifier.
        (SubjectType::Pairwise, None) => Err(
            "pairwise subjects need redirect URIs of one host, or a sector identifier URI whose \
             host stands for all of them (OpenID Connect Core 8.1)"
                .to_owned(),
        ),
    }
}

/// The host that all redirect URIs share.
fn only_host(client: &Client) -> Option<String> {
    let hosts: Option<BTreeSet<String>> =
        client.redirect_uris.iter().map(|uri| host(uri)).collect();
    let mut hosts = hosts?.into_iter();
    hosts.next().filter(|_| hosts.next().is_none())
}

fn host(uri: &str) -> Option<String> {
    Url::parse(uri).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::app;
    use super::*;

    fn pairwise(uris: &[&str], sector: Option<&str>) -> Client {
        let mut client = app();
        client.metadata.subject_type = SubjectType::Pairwise;
        client.redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        client.metadata.sector_identifier_uri = sector.map(str::to_owned);
        client
    }

    #[test]
    fn one_host_is_the_sector_and_two_need_an_identifier() {
        let one = pairwise(&["https://a.example/cb", "https://a.example:8443/x"], None);
        assert_eq!(one.sector().as_deref(), Some("a.example"));
        assert_eq!(check(&one), Ok(()));
        let two = ["https://a.example/cb", "https://b.example/cb"];
        assert!(check(&pairwise(&two, None)).is_err());
        let vouched = pairwise(&two, Some("https://group.example/uris.json"));
        assert_eq!(check(&vouched), Ok(()));
        assert_eq!(vouched.sector().as_deref(), Some("group.example"));
    }

    #[test]
    fn an_app_without_a_host_needs_an_identifier() {
        assert!(check(&pairwise(&["com.example.app:/cb"], None)).is_err());
        assert!(check(&pairwise(&[], None)).is_err());
        assert_eq!(app().sector(), None);
    }
}
