//! Authentication context classes: as clients ask for them (OpenID Connect Core §3.1.2.1, §5.5.1.1,
//! RFC 9470), and as the institution requires them.

use super::client::Client;
use super::error::{ErrorCode, OAuthError};
use super::resource::Resource;
use super::target::Target;
use crate::identity::Acr;

/// What a person can reach here: `acr_values_supported`.
pub const OFFERED: [Acr; 2] = Acr::ALL;

/// The weakest class that satisfies one of the essential values.
///
/// # Errors
/// `unmet_authentication_requirements` when none of them can be reached here (OpenID Connect Core
/// Error Code `unmet_authentication_requirements` 1.0 §2).
pub fn essential<'a>(named: impl Iterator<Item = &'a str>) -> Result<Acr, OAuthError> {
    weakest(named).ok_or_else(|| {
        unmet("none of the essential acr values can be reached here; see acr_values_supported")
    })
}

/// The weakest class that satisfies one of `acr_values`, or of those that are registered for requests
/// that name none. Values that we do not know are no error (OpenID Connect Core §3.1.2.1); one that we
/// know must be reached (RFC 9470 §5).
#[must_use]
pub fn asked(acr_values: Option<&str>, client: &Client) -> Option<Acr> {
    match acr_values {
        Some(values) => weakest(values.split(' ')),
        None => weakest(
            client
                .metadata
                .default_acr_values
                .iter()
                .map(String::as_str),
        ),
    }
}

/// What the institution requires of the person behind whatever a client gets: the strongest of what
/// is registered for the client, for the resources, and for the scopes.
#[must_use]
pub fn required(client: &Client, target: &Target, resources: &[Resource]) -> Acr {
    let asks_for = |resource: &&Resource| {
        target.resources.contains(&resource.uri) || !resource.own(&target.scopes).is_empty()
    };
    let theirs = resources.iter().filter(asks_for).flat_map(|resource| {
        // What authorization details open without a scope may be as much as any scope of it.
        let all = resource.own(&target.scopes).is_empty();
        let scopes = resource.scopes.iter();
        let scopes = scopes.filter(move |info| all || target.scopes.contains(&info.name));
        scopes
            .map(|info| info.require_acr)
            .chain([resource.require_acr])
    });
    theirs
        .chain([client.metadata.require_acr])
        .flatten()
        .max()
        .unwrap_or(Acr::TwoFactor)
}

/// The strongest class that anything requires of people.
#[must_use]
pub fn strongest<'a>(clients: impl Iterator<Item = &'a Client>, resources: &[Resource]) -> Acr {
    let scopes = resources.iter().flat_map(|resource| &resource.scopes);
    let scopes = scopes.map(|info| info.require_acr);
    let resources = resources.iter().map(|resource| resource.require_acr);
    clients
        .map(|client| client.metadata.require_acr)
        .chain(resources)
        .chain(scopes)
        .flatten()
        .max()
        .unwrap_or(Acr::TwoFactor)
}

/// A person cannot, or will not, prove as much as is required.
#[must_use]
pub fn unmet(description: &str) -> OAuthError {
    OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, description)
}

fn weakest<'a>(named: impl Iterator<Item = &'a str>) -> Option<Acr> {
    named
        .filter_map(Acr::parse)
        .filter(|acr| OFFERED.contains(acr))
        .min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::protocol::Scopes;

    fn client(members: &str) -> Client {
        let text = format!(r#"{{"id":"app","name":"App","auth":{{"method":"none"}}{members}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn api(members: &str, scope: &str) -> Resource {
        let text = format!(
            r#"{{"uri":"https://api.example","name":"API","client_id":"api","access_token_lifetime":60,
                 "scopes":[{{"name":"read","title":"Read"}},{{"name":"pay","title":"Pay"{scope}}}]{members}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn target(scopes: &str, resources: &[&str]) -> Target {
        Target {
            scopes: Scopes::parse(scopes).unwrap(),
            resources: resources.iter().map(|uri| (*uri).to_owned()).collect(),
        }
    }

    const PHR: &str = r#","require_acr":"urn:countersign:acr:phr""#;

    #[test]
    fn the_strongest_of_client_resource_and_scope_is_required() {
        let (weak, strong) = (client(""), client(PHR));
        let read = target("read", &["https://api.example"]);
        let pay = target("read pay", &["https://api.example"]);
        let none = target("openid", &[]);
        for (client, api, target, phr) in [
            (&weak, api("", ""), &pay, false),
            (&strong, api("", ""), &none, true),
            (&weak, api(PHR, ""), &none, false),
            (&weak, api(PHR, ""), &read, true),
            (&weak, api("", PHR), &read, false),
            (&weak, api("", PHR), &pay, true),
        ] {
            let required = required(client, target, &[api]);
            assert_eq!(required == Acr::PhishingResistant, phr, "{target:?}");
        }
        // A scope without its resource named, too.
        let alone = target("pay", &[]);
        let required = required(&weak, &alone, &[api("", PHR)]);
        assert_eq!(required, Acr::PhishingResistant);
    }

    #[test]
    fn of_values_the_weakest_that_is_known_counts() {
        let plain = client("");
        let default = client(r#","default_acr_values":["phr"]"#);
        for (values, client, expected) in [
            (None, &plain, None),
            (Some("x 0"), &plain, None),
            (Some("phr"), &plain, Some(Acr::PhishingResistant)),
            (
                Some("phr urn:countersign:acr:2fa"),
                &plain,
                Some(Acr::TwoFactor),
            ),
            (None, &default, Some(Acr::PhishingResistant)),
            (
                Some("urn:countersign:acr:2fa"),
                &default,
                Some(Acr::TwoFactor),
            ),
        ] {
            assert_eq!(asked(values, client), expected, "{values:?}");
        }
        assert!(essential(["x"].into_iter()).is_err());
    }
}
