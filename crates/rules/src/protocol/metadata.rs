//! Server metadata (RFC 8414 §2, OpenID Connect Discovery §3, RFC 9126 §5, RFC 9207 §3).

use serde_json::{Map, Value, json};

use super::client::GrantType;
use super::resource::Resource;
use super::target::OPENID_SCOPES;
use super::{acr, claims, dpop};
use crate::identity::Acr;
use crate::jose::jwe::{Enc, KeyAlg};

/// What ID tokens, userinfo and other answers may be signed with.
const SIGNING_ALGS: [&str; 4] = ["RS256", "ES256", "PS256", "EdDSA"];

/// What a client may sign its assertions with (RFC 7523).
const ASSERTION_ALGS: [&str; 3] = ["ES256", "PS256", "EdDSA"];

/// The endpoints at which a client may present its certificate.
const WITH_CERTIFICATE: [(&str, &str); 5] = [
    ("pushed_authorization_request_endpoint", "/par"),
    ("token_endpoint", "/token"),
    ("introspection_endpoint", "/introspect"),
    ("revocation_endpoint", "/revoke"),
    ("userinfo_endpoint", "/userinfo"),
];

/// Where clients present certificates (RFC 8705 §5).
pub struct Mtls<'a> {
    /// Its origin.
    pub url: &'a str,
    /// Whether authorities are known that certify clients (`tls_client_auth`).
    pub certified: bool,
}

/// The document that both well-known addresses serve; `languages` are those of the pages (BCP 47),
/// `mtls` is where clients present certificates, when there is such a place.
#[must_use]
pub fn document<'r>(
    issuer: &str,
    languages: &[&str],
    resources: impl Iterator<Item = &'r Resource>,
    mtls: Option<Mtls<'_>>,
) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let mut scopes: Vec<&str> = OPENID_SCOPES.to_vec();
    let owned: Vec<&Resource> = resources.collect();
    for resource in &owned {
        scopes.extend(resource.scopes.iter().map(|scope| scope.name.as_str()));
    }
    let mut told: Vec<&str> = vec![
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "acr",
        "amr",
        "sid",
    ];
    told.extend(claims::STANDARD.iter().map(|(name, _)| *name));
    let mut methods = vec![
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    if let Some(mtls) = &mtls {
        methods.extend(mtls.certified.then_some("tls_client_auth"));
        methods.push("self_signed_tls_client_auth");
    }
    let confidential = methods.clone();
    methods.push("none");
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "pushed_authorization_request_endpoint": at("/par"),
        "token_endpoint": at("/token"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "userinfo_endpoint": at("/userinfo"),
        "end_session_endpoint": at("/end_session"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "jwks_uri": at("/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post", "query.jwt", "form_post.jwt", "jwt"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": SIGNING_ALGS,
        "userinfo_signing_alg_values_supported": SIGNING_ALGS,
        "acr_values_supported": acr::OFFERED.map(Acr::as_str),
        "display_values_supported": ["page"],
        "claim_types_supported": ["normal"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "require_pushed_authorization_requests": false,
        "claims_supported": told,
        "claims_parameter_supported": true,

        "request_uri_parameter_supported": false,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": languages,
    });
    let signed = [
        // RFC 9449 §5.1
        ("dpop_signing_alg_values_supported", json!(dpop::ALGS)),
        // RFC 9101 §9; JARM §4; RFC 9701 §7
        (
            "request_object_signing_alg_values_supported",
            json!(ASSERTION_ALGS),
        ),
        ("require_signed_request_object", json!(false)),
        // OpenID Connect Discovery §3 means the authorization endpoint.
        ("request_parameter_supported", json!(false)),
        (
            "authorization_signing_alg_values_supported",
            json!(SIGNING_ALGS),
        ),
        (
            "introspection_signing_alg_values_supported",
            json!(SIGNING_ALGS),
        ),
    ];
    for (name, value) in signed {
        document[name] = value;
    }
    let resources: Vec<&str> = owned.iter().map(|resource| resource.uri.as_str()).collect();
    if !resources.is_empty() {
        // RFC 9728 §4; RFC 8414 §3.2: what would be empty is left out.
        document["protected_resources"] = resources.into();
    }
    tell_encryption(&mut document);
    if let Some(mtls) = mtls {
        let url = mtls.url;
        let alias = |(name, path): (&str, &str)| (name.to_owned(), format!("{url}{path}").into());
        let aliases: Map<String, Value> = WITH_CERTIFICATE.map(alias).into_iter().collect();
        document["mtls_endpoint_aliases"] = aliases.into();
        // RFC 8705 §3.3
        document["tls_client_certificate_bound_access_tokens"] = true.into();
    }
    document
}

/// What ID tokens, userinfo and requests may be encrypted by.
fn tell_encryption(document: &mut Value) {
    for what in ["id_token", "userinfo", "request_object"] {
        document[format!("{what}_encryption_alg_values_supported")] =
            KeyAlg::ALL.map(KeyAlg::as_str).as_slice().into();
        document[format!("{what}_encryption_enc_values_supported")] =
            Enc::ALL.map(Enc::as_str).as_slice().into();
    }
}
