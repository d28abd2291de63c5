//! npm `openid-client` by FAPI 2.0: `private_key_jwt`, JAR, PAR, JARM, and DPoP with nonces.

use countersign::flows::clients::{self, NewAuth, NewClient};
use rules::jose::JwkSet;
use rules::protocol::{GrantType, Metadata, Profile, Scopes};
use serde_json::Value;

use super::program::{self, Program, free_port};
use crate::support::server::caller;
use crate::support::{Browser, TestServer};

on_both_now![openid_client_does_everything_by_fapi];

async fn openid_client_does_everything_by_fapi(server: TestServer) {
    let folder = server.directory.path();
    let mut command = program::command("make_key.mjs");
    command.arg(folder);
    program::output(command).await;
    let keys = std::fs::read(folder.join("public-keys.json")).unwrap();
    let port = free_port();
    let home = format!("http://127.0.0.1:{port}");
    let new = NewClient {
        id: Some("pocket-budget".to_owned()),
        name: "Pocket Budget".to_owned(),
        auth: NewAuth::Jwks(JwkSet::from_json(&keys).unwrap()),
        redirect_uris: vec![format!("{home}/callback")],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: Scopes::parse("openid email offline_access accounts:read").unwrap(),
        id_token_signed_response_alg: None,
        profile: Profile::Fapi2,
        metadata: Metadata {
            dpop_nonces: Some(true),
            require_signed_request_object: true,
            ..Metadata::default()
        },
    };
    let registered = clients::register(&server.app, new, &caller())
        .await
        .unwrap();
    let mut command = program::command("openid_fapi.mjs");
    command
        .env("ISSUER", &server.issuer)
        .env("CLIENT_ID", &registered.client.id)
        .env("KEY", folder.join("private-key.jwk.json"))
        .env("PORT", port.to_string());
    let _program = Program::start(command, port).await;

    let ada = server.person("ada").await;
    let mut app = Browser::new(server.http.clone(), &home);
    let page = app.get("/sign-in").await;
    let to = page.location().to_owned();
    assert!(to.starts_with(&server.at("/authorize")), "{}", page.body);
    let mut bank = server.browser();
    let page = bank.open(&to).await;
    let answer = bank.go_on(&server, page, &ada).await;
    let names: Vec<_> = answer.params.keys().collect();
    assert_eq!(names, ["response"], "{answer:?}");
    let page = app.get(answer.page.location()).await;
    assert_eq!(page.status, 303, "{}", page.body);

    let told = show(&mut app, "/").await;
    assert_eq!(told["sub"], ada.id.to_string());
    assert_eq!(told["email"], "ada@mail.example");
    let tokens = show(&mut app, "/refresh").await;
    assert_eq!(
        tokens["token_type"].as_str().map(str::to_lowercase),
        Some("dpop".to_owned())
    );
    let token = tokens["access_token"].as_str().unwrap();
    let seen = server.accounts.introspect(&server, token).await;
    assert!(seen["cnf"]["jkt"].is_string(), "{seen}");
    show(&mut app, "/").await;
}

async fn show(app: &mut Browser, path: &str) -> Value {
    let page = app.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    serde_json::from_str(&page.body).unwrap()
}
