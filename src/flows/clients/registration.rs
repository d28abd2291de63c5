//! What is registered of a client, and what is demanded of it.

use rules::jose::{Alg, JwkSet};
use rules::protocol::client::CertificateSubject;
use rules::protocol::scope::is_token;
use rules::protocol::{Client, ClientAuth, GrantType, Metadata, Profile, Scopes};

/// What a client may sign its assertions with (FAPI 2.0 SP §5.4.1).
const ASSERTION_ALGS: [Alg; 3] = [Alg::Es256, Alg::Ps256, Alg::EdDsa];

/// A client to be registered.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// `client_id`; a random one is made when there is none.
    pub id: Option<String>,
    /// `client_name`.
    pub name: String,
    /// How it will prove who it is.
    pub auth: NewAuth,
    /// `redirect_uris`.
    pub redirect_uris: Vec<String>,
    /// `grant_types`; none for an API that only introspects.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// How its ID tokens are signed; RS256 when nothing is said (OpenID Connect Registration §2).
    pub id_token_signed_response_alg: Option<Alg>,
    /// Its rules.
    pub profile: Profile,
    /// What else is registered.
    pub metadata: Metadata,
}

/// How a new client will prove who it is.
#[derive(Clone, Debug)]
pub enum NewAuth {
    /// Not at all (a public client).
    None,
    /// By a secret that is made here and shown once.
    Secret,
    /// By assertions under these keys (RFC 7523); none with `jwks_uri`.
    Jwks(JwkSet),
    /// By a certificate for this subject that an authority vouches for (RFC 8705 §2.1); it signs its
    /// requests with these keys, when there are any.
    Certificate(CertificateSubject, JwkSet),
    /// By a certificate with one of these keys (RFC 8705 §2.2); none with `jwks_uri`.
    SelfSigned(JwkSet),
}

/// The registered name of a way to authenticate (RFC 7591 §2); a secret is accepted by
/// `client_secret_post` too.
#[must_use]
pub const fn method(auth: &ClientAuth) -> &'static str {
    match auth {
        ClientAuth::None => "none",
        ClientAuth::Secret { .. } => "client_secret_basic",
        ClientAuth::PrivateKeyJwt { .. } => "private_key_jwt",
        ClientAuth::TlsClientAuth { .. } => "tls_client_auth",
        ClientAuth::SelfSignedTlsClientAuth { .. } => "self_signed_tls_client_auth",
    }
}

/// The registration that is asked for, not yet checked.
pub(super) fn client(id: String, new: NewClient, secret_hash: Option<String>) -> Client {
    Client {
        id,
        name: new.name,
        profile: new.profile,
        auth: match new.auth {
            NewAuth::None => ClientAuth::None,
            NewAuth::Secret => ClientAuth::Secret {
                hashes: secret_hash.into_iter().collect(),
            },
            NewAuth::Jwks(jwks) => ClientAuth::PrivateKeyJwt { jwks },
            NewAuth::Certificate(subject, jwks) => ClientAuth::TlsClientAuth { subject, jwks },
            NewAuth::SelfSigned(jwks) => ClientAuth::SelfSignedTlsClientAuth { jwks },
        },
        redirect_uris: once(new.redirect_uris),
        grant_types: once(new.grant_types),
        scopes: new.scopes,
        id_token_signed_response_alg: new
            .id_token_signed_response_alg
            .unwrap_or(new.profile.signing_alg()),
        metadata: new.metadata,
        valid_from: None,
        disabled_at: None,
        removed_at: None,
    }
}

/// What answers to a client are signed with.
pub(super) fn signed_with(client: &Client) -> Vec<Alg> {
    let metadata = &client.metadata;
    let others = [
        metadata.userinfo_signed_response_alg,
        metadata.authorization_signed_response_alg,
        metadata.introspection_signed_response_alg,
    ];
    let all = others.into_iter().flatten();
    once(all.chain([client.id_token_signed_response_alg]).collect())
}

/// Each of them once, in the order in which they came.
pub(super) fn once<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// What is demanded of a registration, on top of [`Client::check`].
pub(super) fn check(client: &Client) -> Result<(), String> {
    client.check()?;
    if client.name.chars().any(char::is_control) {
        return Err("the client's name must not have control characters".to_owned());
    }
    if let Some(scope) = client.scopes.iter().find(|scope| !is_token(scope)) {
        return Err(format!(
            "the scope {scope:?} has a character that is not allowed (RFC 6749 section 3.3)"
        ));
    }
    let fetched = client.metadata.jwks_uri.is_some();
    if let ClientAuth::SelfSignedTlsClientAuth { jwks } = &client.auth
        && jwks.is_empty()
        && !fetched
    {
        return Err("the JWK set has no public key that a certificate could have".to_owned());
    }
    // A certificate that an authority vouches for needs no keys beside it.
    let with_keys = |auth: &ClientAuth| match auth {
        ClientAuth::PrivateKeyJwt { .. } => true,
        ClientAuth::TlsClientAuth { jwks, .. } => !jwks.is_empty(),
        _ => false,
    };
    if let ClientAuth::PrivateKeyJwt { jwks } | ClientAuth::TlsClientAuth { jwks, .. } =
        &client.auth
        && with_keys(&client.auth)
        && !fetched
    {
        let usable = |alg: &Alg| jwks.keys().iter().any(|key| key.fits(*alg));
        if !ASSERTION_ALGS.iter().any(usable) {
            return Err(
                "the JWK set has no public key that can verify ES256, PS256 or EdDSA".to_owned(),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn new() -> NewClient {
        NewClient {
            id: None,
            name: "Pocket Budget".to_owned(),
            auth: NewAuth::None,
            redirect_uris: vec!["https://app.example/cb".to_owned(); 2],
            grant_types: vec![GrantType::AuthorizationCode; 2],
            scopes: Scopes::from_iter(["openid"]),
            id_token_signed_response_alg: None,
            profile: Profile::default(),
            metadata: Metadata::default(),
        }
    }

    #[test]
    fn what_is_said_twice_is_registered_once() {
        let client = client("a".to_owned(), new(), None);
        check(&client).unwrap();
        assert_eq!(client.redirect_uris.len(), 1);
        assert_eq!(client.grant_types.len(), 1);
    }

    #[test]
    fn each_mistake_is_named() {
        type Spoil = fn(&mut NewClient);
        let cases: [(Spoil, &str); 3] = [
            (|c| c.name = "a\u{1b}[2J".to_owned(), "control"),
            (|c| c.scopes = Scopes::from_iter(["a b"]), "scope"),
            (|c| c.auth = NewAuth::Jwks(JwkSet::default()), "JWK set"),
        ];
        for (spoil, word) in cases {
            let mut new = new();
            spoil(&mut new);
            let refused = check(&client("a".to_owned(), new, None)).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
