//! Who may be a client of the profile, and what the server says of itself.

use rules::jose::Alg;
use rules::protocol::Profile;
use serde_json::Value;

use crate::support::apps::try_register;
use crate::support::{Spec, TestServer};

on_both![
    only_clients_with_keys_and_safe_addresses_are_of_the_profile,
    the_metadata_names_what_fapi_asks_for,
];

async fn only_clients_with_keys_and_safe_addresses_are_of_the_profile(server: TestServer) {
    type Spoil = fn(&mut Spec);
    let refused: [(&str, Spec, Spoil); 5] = [
        ("secret", Spec::confidential("secret"), |_| ()),
        ("public", Spec::public("public"), |_| ()),
        ("rs256", Spec::with_key("rs256"), |spec| {
            spec.alg = Some(Alg::Rs256);
        }),
        ("userinfo", Spec::with_key("userinfo"), |spec| {
            spec.metadata.userinfo_signed_response_alg = Some(Alg::Rs256);
        }),
        ("scheme", Spec::with_key("scheme"), |spec| {
            spec.redirect_uris = vec!["com.example.app:/cb".to_owned()];
        }),
    ];
    for (what, mut spec, spoil) in refused {
        spec.profile = Profile::Fapi2;
        spoil(&mut spec);
        assert!(try_register(&server.app, spec).await.is_err(), "{what}");
    }
    super::partner(&server, "app").await;
}

async fn the_metadata_names_what_fapi_asks_for(server: TestServer) {
    let document = server.get("/.well-known/openid-configuration").await.ok();
    let has = |name: &str, wanted: &str| {
        let list = document[name].as_array();
        let found = list.is_some_and(|list| list.iter().any(|one| one == wanted));
        assert!(found, "{name}: {wanted}");
    };
    for alg in ["PS256", "ES256", "EdDSA", "Ed25519"] {
        has("dpop_signing_alg_values_supported", alg);
    }
    for name in [
        "id_token_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "userinfo_signing_alg_values_supported",
        "request_object_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "introspection_signing_alg_values_supported",
    ] {
        has(name, "ES256");
    }
    for mode in ["jwt", "query.jwt", "form_post.jwt", "query"] {
        has("response_modes_supported", mode);
    }
    has("token_endpoint_auth_methods_supported", "private_key_jwt");
    has("code_challenge_methods_supported", "S256");
    let iss = &document["authorization_response_iss_parameter_supported"];
    assert_eq!(iss, &Value::Bool(true));
}
