//! Authorization requests: a form, read for a client of each profile.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rules::protocol::authorize::return_to;
use rules::protocol::details::Types;
use rules::protocol::{AuthorizeRequest, Client, Params};

/// One type, for one API.
struct One([String; 1]);

impl Types for One {
    fn resources(&self, name: &str) -> Option<&[String]> {
        (name == "payment").then_some(&self.0)
    }

    fn alone(&self, _: &str) -> bool {
        false
    }

    fn opens(&self, _: &str) -> bool {
        true
    }

    fn check(&self, _: &str, _: &serde_json::Value) -> Result<(), String> {
        Ok(())
    }
}

/// As it is stored.
static CLIENTS: LazyLock<[Client; 2]> = LazyLock::new(|| {
    ["oauth21", "compat"].map(|profile| {
        serde_json::from_value(serde_json::json!({
            "id": "app", "name": "App", "profile": profile,
            "auth": {"method": "secret", "hashes": []},
            "redirect_uris": ["https://app.example/cb", "http://127.0.0.1/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scopes": ["openid", "profile", "offline_access"],
            "authorization_details_types": ["payment"],
        }))
        .expect("a client")
    })
});

fuzz_target!(|data: &[u8]| {
    let Ok(params) = Params::parse(data) else {
        return;
    };
    let types = One(["https://api.example".to_owned()]);
    for client in CLIENTS.iter() {
        let Ok(to) = return_to(&params, client) else {
            continue;
        };
        assert!(client.may_return_to(&to.redirect_uri));
        if let Ok(request) = AuthorizeRequest::parse(&params, client, to, (&[], &types)) {
            assert_eq!(request.client_id, client.id);
            assert!(request.scopes.is_subset(&client.scopes));
            let text = serde_json::to_vec(&request).expect("JSON");
            let again: AuthorizeRequest = serde_json::from_slice(&text).expect("the same request");
            assert_eq!(again, request);
        }
    }
});
