//! The profile `fapi2`: FAPI 2.0 Security Profile (Final). What it asks of a registration is here;
//! what it asks of requests stands where these are judged, and names its section.

use url::Url;

use super::client::{Client, ClientAuth};
use crate::jose::Alg;

/// What messages may be signed with (§5.4.1).
pub const ALGS: [Alg; 3] = [Alg::Es256, Alg::Ps256, Alg::EdDsa];

/// Checks the registration of a client of the profile. Nothing that is registered can take back what
/// the profile asks.
///
/// # Errors
/// A sentence that says what to change.
pub fn check(client: &Client) -> Result<(), String> {
    // §5.3.2.1 (6)
    if !client.presents_certificate() && !matches!(client.auth, ClientAuth::PrivateKeyJwt { .. }) {
        return Err(
            "the profile fapi2 is for clients that authenticate by a key of their own; register \
             its public keys (private_key_jwt) or its certificate"
                .into(),
        );
    }
    let metadata = &client.metadata;
    for (what, alg) in [
        ("ID tokens", Some(client.id_token_signed_response_alg)),
        ("userinfo", metadata.userinfo_signed_response_alg),
        ("requests", metadata.request_object_signing_alg),
        ("answers", metadata.authorization_signed_response_alg),
        (
            "answers at introspection",
            metadata.introspection_signed_response_alg,
        ),
    ] {
        if let Some(alg) = alg.filter(|alg| !ALGS.contains(alg)) {
            return Err(format!(
                "in the profile fapi2 {what} are not signed with {alg}; use ES256"
            ));
        }
    }
    // §5.3.2.2 (8)
    let unsafe_uri = client.redirect_uris.iter().find(|uri| !is_safe(uri));
    match unsafe_uri {
        Some(uri) => Err(format!(
            "in the profile fapi2 people are sent back to https addresses only, not to {uri:?}"
        )),
        None => Ok(()),
    }
}

/// https, or the loopback interface (RFC 8252 §7.3).
fn is_safe(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| {
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        url.scheme() == "https" || (url.scheme() == "http" && loopback)
    })
}

#[cfg(test)]
mod tests {
    use super::super::client::Profile;
    use super::super::proof::Possession;
    use super::super::target::tests::app;
    use super::*;
    use crate::jose::{JwkSet, SigningKey};

    fn client() -> Client {
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let mut client = app();
        client.profile = Profile::Fapi2;
        client.id_token_signed_response_alg = Alg::Es256;
        client.auth = ClientAuth::PrivateKeyJwt {
            jwks: JwkSet::from(key.public_jwk().clone()),
        };
        client
    }

    #[test]
    fn nothing_that_is_registered_weakens_the_profile() {
        type Spoil = fn(&mut Client);
        let cases: [(Spoil, &str); 7] = [
            (|c| c.auth = ClientAuth::None, "private_key_jwt"),
            (
                |c| c.auth = ClientAuth::Secret { hashes: Vec::new() },
                "private_key_jwt",
            ),
            (|c| c.id_token_signed_response_alg = Alg::Rs256, "RS256"),
            (
                |c| c.metadata.userinfo_signed_response_alg = Some(Alg::Rs256),
                "userinfo",
            ),
            (
                |c| c.metadata.request_object_signing_alg = Some(Alg::Rs256),
                "requests",
            ),
            (
                |c| c.metadata.authorization_signed_response_alg = Some(Alg::Rs256),
                "answers",
            ),
            (
                |c| c.redirect_uris = vec!["com.example.app:/cb".into()],
                "https",
            ),
        ];
        assert_eq!(client().check(), Ok(()));
        for (spoil, word) in cases {
            let mut client = client();
            spoil(&mut client);
            let refused = client.check().unwrap_err();
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }

    #[test]
    fn its_requests_are_pushed_and_its_tokens_bound_whatever_is_registered() {
        let mut client = client();
        client.metadata.dpop_bound_access_tokens = false;
        client.metadata.require_pushed_authorization_requests = false;
        assert!(client.must_push());
        let refused = client.bind(Possession::default()).unwrap_err();
        assert_eq!(refused.code.as_str(), "invalid_request");
    }
}
