//! Scopes, resources and authorization details: which belong together, and what a client may ask for
//! (RFC 8707, RFC 9396).

use super::client::Client;
use super::details::{self, Details, Types};
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

/// What a request says that it wants.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// `scope`, when there is one.
    pub scopes: Option<&'a Scopes>,
    /// `resource`, as often as sent (RFC 8707 §2).
    pub named: &'a [String],
    /// `authorization_details`, of types that the client may use (RFC 9396).
    pub details: &'a Details,
}

/// Those scopes that are neither the server's own nor any resource's.
#[must_use]
pub fn unknown(scopes: &Scopes, resources: &[Resource]) -> Scopes {
    scopes.filter(|scope| {
        !OPENID_SCOPES.contains(&scope) && !resources.iter().any(|resource| resource.owns(scope))
    })
}

/// What a client asks of a person: scopes, authorization details (RFC 9396 §3), or both.
///
/// # Errors
/// `invalid_scope`, `invalid_target` or `invalid_authorization_details`, naming the scope, resource or
/// type.
pub fn for_person(
    client: &Client,
    wanted: Wanted<'_>,
    resources: &[Resource],
    types: &impl Types,
) -> Result<Target, OAuthError> {
    let scopes = match wanted.scopes {
        // OpenID Connect Core §3.1.2.1: scopes that are not understood are ignored.
        Some(asked) if asked.contains("openid") => asked.difference(&unknown(asked, resources)),
        Some(asked) => asked.clone(),
        None if !wanted.details.is_empty() => Scopes::default(),
        None => {
            return Err(OAuthError::new(
                ErrorCode::InvalidScope,
                "scope is missing: say what is asked for",
            ));
        }
    };
    let target = resolve(client, &scopes, wanted, (resources, types))?;
    if !wanted.details.is_empty() && target.scopes.is_empty() && target.resources.is_empty() {
        return Err(details::invalid(
            "their type is for any API; ask for a scope of the one that is meant",
        )
        .about("api"));
    }
    Ok(target)
}

/// What a client asks for itself. When it names no scope: the authorization details that it names, or
/// everything it may. Scopes about a person make no sense there.
///
/// # Errors
/// As [`for_person`].
pub fn for_itself(
    client: &Client,
    wanted: Wanted<'_>,
    resources: &[Resource],
    types: &impl Types,
) -> Result<Target, OAuthError> {
    let named = wanted.named;
    let own = |scope: &str| {
        resources.iter().any(|resource| {
            resource.owns(scope) && (named.is_empty() || named.contains(&resource.uri))
        })
    };
    let scopes = match wanted.scopes {
        Some(asked) => asked.clone(),
        None if !wanted.details.is_empty() => Scopes::default(),
        None => client.scopes.filter(own),
    };
    if let Some(scope) = scopes.iter().find(|scope| OPENID_SCOPES.contains(scope)) {
        return Err(invalid_scope(
            scope,
            "is about a person; client_credentials has none",
        ));
    }
    let target = resolve(client, &scopes, wanted, (resources, types))?;
    if target.resources.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "scope is missing, and the client is registered for none of its own",
        ));
    }
    Ok(target)
}

/// What a token request takes of what was granted (RFC 8707 §2.2, RFC 6749 §6); its details are those
/// that are left of what was granted, an API of which stays without any scope.
///
/// # Errors
/// `invalid_scope` or `invalid_target` for more than was granted.
pub fn narrow(
    granted: &Target,
    wanted: Wanted<'_>,
    resources: &[Resource],
    types: &impl Types,
) -> Result<Target, OAuthError> {
    let (asked, named) = (wanted.scopes, wanted.named);
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
    let is_wanted = |uri: &String| named.is_empty() || named.contains(uri);
    let opened = wanted.details.opened(types);
    let is_used = |uri: &String| is_used(uri, (scopes, &opened), resources);
    if let Some(uri) = named.iter().find(|uri| !is_used(uri)) {
        return Err(invalid_target(uri, "owns nothing of what is asked for"));
    }
    let target = Target {
        scopes: scopes.filter(|scope| {
            let owner = resources.iter().find(|resource| resource.owns(scope));
            // A scope without an owner is OpenID Connect's, or of a resource that was removed.
            owner.map_or(
                named.is_empty() && OPENID_SCOPES.contains(&scope),
                |resource| is_wanted(&resource.uri),
            )
        }),
        resources: granted
            .resources
            .iter()
            .filter(|uri| is_wanted(uri) && is_used(uri))
            .cloned()
            .collect(),
    };
    if target.scopes.is_empty() && target.resources.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "nothing of what was granted is left; ask the person again",
        ));
    }
    Ok(target)
}

/// Whether a resource owns one of the scopes, or is opened by details.
fn is_used(uri: &str, (scopes, opened): (&Scopes, &[&str]), resources: &[Resource]) -> bool {
    let used = |resource: &Resource| opened.contains(&uri) || !resource.own(scopes).is_empty();
    resources
        .iter()
        .any(|resource| resource.uri == uri && used(resource))
}

fn resolve(
    client: &Client,
    scopes: &Scopes,
    Wanted { named, details, .. }: Wanted<'_>,
    (resources, types): (&[Resource], &impl Types),
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
    let opened = details.opened(types);
    let used = |uri: &&String| is_used(uri, (scopes, &opened), resources);
    if let Some(uri) = named.iter().find(|uri| !used(uri)) {
        return Err(invalid_target(uri, "owns nothing of what is asked for"));
    }
    let brought = details.brought((&owners, named), resources, types)?;
    owners.extend(brought);
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
    use super::super::details::tests::Two;
    use super::*;

    const PAYMENTS: &str = "https://api.example/payments";

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

    pub(crate) fn types() -> Two {
        Two(vec![PAYMENTS.to_owned()])
    }

    /// A payment, which is for the payments API.
    fn payment() -> Details {
        Details::read("[{\"type\":\"payment\"}]").unwrap()
    }

    fn ask(
        scopes: Option<&str>,
        named: &[&str],
        details: &Details,
        of: impl Fn(&Client, Wanted<'_>) -> Result<Target, OAuthError>,
    ) -> Result<Target, OAuthError> {
        let scopes = scopes.map(|text| Scopes::parse(text).unwrap());
        let named: Vec<String> = named.iter().map(|uri| (*uri).to_owned()).collect();
        let wanted = Wanted {
            scopes: scopes.as_ref(),
            named: &named,
            details,
        };
        of(&app(), wanted)
    }

    fn person(
        scopes: Option<&str>,
        named: &[&str],
        details: &Details,
    ) -> Result<Target, OAuthError> {
        ask(scopes, named, details, |client, wanted| {
            for_person(client, wanted, &resources(), &types())
        })
    }

    fn itself(
        scopes: Option<&str>,
        named: &[&str],
        details: &Details,
    ) -> Result<Target, OAuthError> {
        ask(scopes, named, details, |client, wanted| {
            for_itself(client, wanted, &resources(), &types())
        })
    }

    #[test]
    fn scopes_bring_their_resource_along() {
        let target = person(Some("openid accounts:read"), &[], &Details::default());
        assert_eq!(target.unwrap().resources, ["https://api.example/accounts"]);
    }

    #[test]
    fn unknown_scopes_are_ignored_for_openid_and_refused_otherwise() {
        let none = Details::default();
        let target = person(Some("openid what"), &[], &none).unwrap();
        assert_eq!(target.scopes, scopes("openid"));
        assert!(person(Some("what"), &[], &none).is_err());
        assert!(person(None, &[], &none).is_err());
    }

    #[test]
    fn a_scope_of_a_resource_that_is_not_named_is_refused() {
        let target = person(Some("accounts:read"), &[PAYMENTS], &Details::default());
        assert_eq!(target.unwrap_err().code, ErrorCode::InvalidScope);
    }

    #[test]
    fn a_client_that_names_nothing_gets_its_own_scopes_but_none_about_people() {
        let target = itself(None, &[], &Details::default()).unwrap();
        assert_eq!(target.scopes, scopes("accounts:read accounts:details"));
        assert!(itself(Some("openid"), &[], &Details::default()).is_err());
    }

    #[test]
    fn details_bring_their_api_along_and_need_no_scope() {
        for ask in [person, itself] {
            let alone = ask(None, &[], &payment()).unwrap();
            assert!(alone.scopes.is_empty());
            assert_eq!(alone.resources, [PAYMENTS]);
            assert_eq!(ask(None, &[PAYMENTS], &payment()).unwrap(), alone);
            let both = ask(Some("accounts:read"), &[], &payment()).unwrap();
            assert_eq!(both.resources, ["https://api.example/accounts", PAYMENTS]);
            // Elsewhere than where the request says it is for.
            let elsewhere = ask(
                Some("accounts:read"),
                &["https://api.example/accounts"],
                &payment(),
            );
            assert_eq!(elsewhere.unwrap_err().topic, Some("api"));
            let beside = ask(None, &["https://api.example/accounts"], &payment());
            assert_eq!(beside.unwrap_err().code, ErrorCode::InvalidTarget);
        }
    }

    #[test]
    fn a_detail_for_any_api_needs_a_scope() {
        let note = Details::read("[{\"type\":\"note\"}]").unwrap();
        for ask in [person, itself] {
            assert!(ask(None, &[], &note).is_err());
            assert!(ask(None, &[PAYMENTS], &note).is_err());
            let target = ask(Some("accounts:read"), &[], &note).unwrap();
            assert_eq!(target.resources, ["https://api.example/accounts"]);
        }
    }

    #[test]
    fn narrowing_never_widens() {
        let granted = Target {
            scopes: scopes("openid accounts:read"),
            resources: vec!["https://api.example/accounts".to_owned()],
        };
        let take = |granted: &Target, scopes: Option<&str>, named: &[&str], details: &Details| {
            ask(scopes, named, details, |_, wanted| {
                narrow(granted, wanted, &resources(), &types())
            })
        };
        let none = Details::default();
        assert!(take(&granted, Some("accounts:details"), &[], &none).is_err());
        assert!(take(&granted, None, &[PAYMENTS], &none).is_err());
        // Details open no API that was not granted.
        assert!(take(&granted, None, &[PAYMENTS], &payment()).is_err());
        let same = take(&granted, None, &[], &payment()).unwrap();
        assert_eq!(same.resources, granted.resources);
        let less = take(&granted, Some("accounts:read"), &[], &none).unwrap();
        assert_eq!(less.scopes, scopes("accounts:read"));
        // What was granted for details alone goes with them.
        let alone = Target {
            scopes: Scopes::default(),
            resources: vec![PAYMENTS.to_owned()],
        };
        assert_eq!(take(&alone, None, &[], &payment()).unwrap(), alone);
        assert!(take(&alone, None, &[], &none).is_err());
    }
}
