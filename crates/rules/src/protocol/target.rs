//! Scopes and resources: which belong together, and what a client may ask for (RFC 8707).

use super::client::Client;
use super::error::{ErrorCode, OAuthError};
use super::resource::Resource;
use super::scope::Scopes;

/// Scopes that belong to the server itself (OpenID Connect Core §5.4, §11).
pub const OPENID_SCOPES: [&str; 6] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
];

/// What is asked for, made whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The scopes.
    pub scopes: Scopes,
    /// The resources that own them, or that were named.
    pub resources: Vec<String>,
}

impl Target {
    /// What of it the client is still registered for: a registration that was narrowed since holds
    /// for what was granted before.
    #[must_use]
    pub fn left_to(&self, client: &Client) -> Self {
        Self {
            scopes: self.scopes.intersection(&client.scopes),
            resources: self.resources.clone(),
        }
    }
}

/// Those scopes that are neither the server's own nor any resource's.
#[must_use]
pub fn unknown(scopes: &Scopes, resources: &[Resource]) -> Scopes {
    scopes.filter(|scope| {
        !OPENID_SCOPES.contains(&scope) && !resources.iter().any(|resource| resource.owns(scope))
    })
}

/// What a client asks of a person.
///
/// # Errors
/// `invalid_scope` or `invalid_target`, naming the scope or resource.
pub fn for_person(
    client: &Client,
    asked: &Scopes,
    named: &[String],
    resources: &[Resource],
) -> Result<Target, OAuthError> {
    // OpenID Connect Core §3.1.2.1: scopes that are not understood are ignored.
    let scopes = if asked.contains("openid") {
        asked.difference(&unknown(asked, resources))
    } else {
        asked.clone()
    };
    resolve(client, &scopes, named, resources)
}

/// What a client asks for itself: everything it may, when it names no scope. Scopes about a person
/// make no sense there.
///
/// # Errors
/// As [`for_person`].
pub fn for_itself(
    client: &Client,
    asked: Option<&Scopes>,
    named: &[String],
    resources: &[Resource],
) -> Result<Target, OAuthError> {
    let own = |scope: &str| {
        resources.iter().any(|resource| {
            resource.owns(scope) && (named.is_empty() || named.contains(&resource.uri))
        })
    };
    let scopes = match asked {
        Some(asked) => asked.clone(),
        None => client.scopes.filter(own),
    };
    if let Some(scope) = scopes.iter().find(|scope| OPENID_SCOPES.contains(scope)) {
        return Err(invalid_scope(
            scope,
            "is about a person; client_credentials has none",
        ));
    }
    let target = resolve(client, &scopes, named, resources)?;
    if target.resources.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "scope is missing, and the client is registered for none of its own",
        ));
    }
    Ok(target)
}

/// What a token request takes of what was granted (RFC 8707 §2.2, RFC 6749 §6).
///
/// # Errors
/// `invalid_scope` or `invalid_target` for more than was granted.
pub fn narrow(
    granted: &Target,
    asked: Option<&Scopes>,
    named: &[String],
    resources: &[Resource],
) -> Result<Target, OAuthError> {
    if let Some(uri) = named.iter().find(|uri| !granted.resources.contains(uri)) {
        return Err(invalid_target(uri, "was not granted"));
    }
    if let Some(asked) = asked
        && let Some(scope) = asked.difference(&granted.scopes).iter().next()
    {
        return Err(invalid_scope(scope, "was not granted"));
    }
    let scopes = asked.unwrap_or(&granted.scopes);
    // RFC 8707 §2.2: a token for named resources is good there and nowhere else, userinfo included.
    let wanted = |uri: &String| named.is_empty() || named.contains(uri);
    let owns_some = |uri: &String| {
        resources
            .iter()
            .any(|resource| resource.uri == *uri && !resource.own(scopes).is_empty())
    };
    if let Some(uri) = named.iter().find(|uri| !owns_some(uri)) {
        return Err(invalid_target(uri, "owns none of the scopes asked for"));
    }
    let target = Target {
        scopes: scopes.filter(|scope| {
            let owner = resources.iter().find(|resource| resource.owns(scope));
            // A scope without an owner is OpenID Connect's, or of a resource that was removed.
            owner.map_or(
                named.is_empty() && OPENID_SCOPES.contains(&scope),
                |resource| wanted(&resource.uri),
            )
        }),
        resources: granted
            .resources
            .iter()
            .filter(|uri| wanted(uri) && owns_some(uri))
            .cloned()
            .collect(),
    };
    if target.scopes.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "nothing of what was granted is left; ask the person again",
        ));
    }
    Ok(target)
}

fn resolve(
    client: &Client,
    scopes: &Scopes,
    named: &[String],
    resources: &[Resource],
) -> Result<Target, OAuthError> {
    for uri in named {
        if !resources.iter().any(|resource| resource.uri == *uri) {
            return Err(invalid_target(uri, "is not a resource of this server"));
        }
    }
    let mut owners: Vec<String> = named.to_vec();
    for scope in scopes.iter() {
        let owner = resources.iter().find(|resource| resource.owns(scope));
        if owner.is_none() && !OPENID_SCOPES.contains(&scope) {
            return Err(invalid_scope(scope, "is not known here"));
        }
        if !client.scopes.contains(scope) {
            return Err(invalid_scope(
                scope,
                "is not among those this client is registered for",
            ));
        }
        if let Some(owner) = owner
            && !owners.contains(&owner.uri)
        {
            if !named.is_empty() {
                return Err(invalid_scope(
                    scope,
                    "belongs to a resource that the request does not name",
                ));
            }
            owners.push(owner.uri.clone());
        }
    }
    // A resource that owns nothing of what is asked for would make a token for no purpose.
    for uri in named {
        let owns_some = resources
            .iter()
            .any(|resource| resource.uri == *uri && !resource.own(scopes).is_empty());
        if !owns_some {
            return Err(invalid_target(uri, "owns none of the scopes asked for"));
        }
    }
    owners.sort_unstable();
    owners.dedup();
    Ok(Target {
        scopes: scopes.clone(),
        resources: owners,
    })
}

fn invalid_scope(scope: &str, rule: &str) -> OAuthError {
    let shown: String = scope.chars().take(80).collect();
    OAuthError::new(ErrorCode::InvalidScope, format!("scope {shown} {rule}"))
}

fn invalid_target(uri: &str, rule: &str) -> OAuthError {
    let shown: String = uri.chars().take(200).collect();
    OAuthError::new(ErrorCode::InvalidTarget, format!("resource {shown} {rule}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn app() -> Client {
        serde_json::from_value(serde_json::json!({
            "id": "app", "name": "App", "auth": { "method": "none" },
            "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scopes": ["openid", "accounts:read", "accounts:details"],
        }))
        .unwrap()
    }

    pub(crate) fn resources() -> Vec<Resource> {
        let resource = |uri: &str, scopes: &[&str]| {
            let scopes: Vec<_> = scopes
                .iter()
                .map(|name| serde_json::json!({ "name": name, "title": name }))
                .collect();
            serde_json::from_value(serde_json::json!({
                "uri": uri, "name": uri, "client_id": "api", "scopes": scopes,
                "access_token_lifetime": 300,
            }))
            .unwrap()
        };
        vec![
            resource(
                "https://api.example/accounts",
                &["accounts:read", "accounts:details"],
            ),
            resource("https://api.example/payments", &["payments:write"]),
        ]
    }

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn scopes_bring_their_resource_along() {
        let target = for_person(&app(), &scopes("openid accounts:read"), &[], &resources());
        assert_eq!(target.unwrap().resources, ["https://api.example/accounts"]);
    }

    #[test]
    fn unknown_scopes_are_ignored_for_openid_and_refused_otherwise() {
        let target = for_person(&app(), &scopes("openid what"), &[], &resources()).unwrap();
        assert_eq!(target.scopes, scopes("openid"));
        assert!(for_person(&app(), &scopes("what"), &[], &resources()).is_err());
    }

    #[test]
    fn a_scope_of_a_resource_that_is_not_named_is_refused() {
        let named = ["https://api.example/payments".to_owned()];
        let target = for_person(&app(), &scopes("accounts:read"), &named, &resources());
        assert_eq!(target.unwrap_err().code, ErrorCode::InvalidScope);
    }

    #[test]
    fn a_client_that_names_nothing_gets_its_own_scopes_but_none_about_people() {
        let target = for_itself(&app(), None, &[], &resources()).unwrap();
        assert_eq!(target.scopes, scopes("accounts:read accounts:details"));
        assert!(for_itself(&app(), Some(&scopes("openid")), &[], &resources()).is_err());
    }

    #[test]
    fn narrowing_never_widens() {
        let granted = Target {
            scopes: scopes("openid accounts:read"),
            resources: vec!["https://api.example/accounts".to_owned()],
        };
        let all = resources();
        let more = scopes("accounts:details");
        assert!(narrow(&granted, Some(&more), &[], &all).is_err());
        let other = ["https://api.example/payments".to_owned()];
        assert!(narrow(&granted, None, &other, &all).is_err());
        let less = scopes("accounts:read");
        assert_eq!(
            narrow(&granted, Some(&less), &[], &all).unwrap().scopes,
            less
        );
    }
}
