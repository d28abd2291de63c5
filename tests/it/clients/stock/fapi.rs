//! Web apps by FAPI 2.0: npm `openid-client` with `private_key_jwt`, JAR, PAR, JARM and DPoP with
//! nonces, or with a certificate and tokens bound to it; `PyPI` Authlib with `private_key_jwt`, PAR
//! and DPoP with nonces.

use std::path::Path;

use countersign::flows::clients::{self, NewAuth, NewClient};
use rules::jose::jwe::{Enc, KeyAlg};
use rules::jose::{Alg, JwkSet};
use rules::protocol::{GrantType, Metadata, Profile, Scopes, Thumbprint};
use serde_json::{Value, json};

use super::program::{self, Program, free_port};
use crate::mtls::{Asking, subject};
use crate::support::server::caller;
use crate::support::{Answer, Browser, Engine, Person, Reply, TestServer};

on_both_now![
    openid_client_does_everything_by_fapi,
    openid_client_believes_no_userinfo_under_another_signature,
    authlib_does_everything_by_fapi,
    authlib_signs_and_encrypts_its_requests,
    authlib_refuses_an_answer_that_is_not_for_it,
];

on_both_engines![openid_client_does_everything_under_a_certificate];

async fn openid_client_does_everything_by_fapi(server: TestServer) {
    let mut app = App::start(&server, "openid_fapi.mjs", signed()).await;
    let ada = server.person("ada").await;
    let answer = app.ask(&server, &ada).await;
    let names: Vec<_> = answer.params.keys().collect();
    assert_eq!(names, ["response"], "{answer:?}");
    app.take(&answer).await;
    let (_, cnf) = app.has_bound_tokens(&server, &ada, "dpop").await;
    assert!(cnf["jkt"].is_string(), "{cnf}");
}

async fn openid_client_believes_no_userinfo_under_another_signature(server: TestServer) {
    let between = program::node_options_with("forged_userinfo.cjs");
    let more = [("NODE_OPTIONS", Path::new(&between))];
    let mut app = App::start_among(&server, "openid_fapi.mjs", signed(), &more).await;
    let ada = server.person("ada").await;
    let answer = app.ask(&server, &ada).await;
    app.take(&answer).await;
    let page = app.browser.get("/").await;
    assert_eq!(page.status, 502, "{}", page.body);
    assert!(page.body.contains("signature"), "{}", page.body);
}

/// What openid-client's app is registered with: everything is signed.
fn signed() -> Metadata {
    Metadata {
        require_signed_request_object: true,
        userinfo_signed_response_alg: Some(Alg::Es256),
        ..Metadata::default()
    }
}

async fn openid_client_does_everything_under_a_certificate(engine: Engine) {
    let asking = Asking::start_now(engine).await;
    let server = &asking.server;
    let own = asking.partners.authority.certify("budget", 2040);
    let file = server.directory.path().join("app.pem");
    std::fs::write(&file, own.pem()).unwrap();
    let ca = asking.authority_file();
    let metadata = Metadata {
        tls_client_certificate_bound_access_tokens: true,
        ..Metadata::default()
    };
    let how = (subject("dns:budget.example"), metadata);
    // Beside the authorities that Node.js trusts by itself.
    let files = [("CERTIFICATE", &*file), ("NODE_EXTRA_CA_CERTS", &*ca)];
    let mut app = App::start_with(server, "openid_mtls.mjs", how, &files).await;
    let ada = server.person("ada").await;
    let answer = app.ask(server, &ada).await;
    app.take(&answer).await;
    let (last, cnf) = app.has_bound_tokens(server, &ada, "bearer").await;
    let expected = Thumbprint::of_certificate(own.der()).to_string();
    assert_eq!(cnf, json!({ "x5t#S256": expected }));
    assert_eq!(app.show("/disconnect").await["disconnected"], true);
    assert!(!server.accounts.sees(server, &last).await);
    asking.stop().await;
}

async fn authlib_does_everything_by_fapi(server: TestServer) {
    let mut app = App::start(&server, "authlib_fapi.py", Metadata::default()).await;
    let ada = server.person("ada").await;
    let answer = app.ask(&server, &ada).await;
    app.take(&answer).await;
    let (last, cnf) = app.has_bound_tokens(&server, &ada, "dpop").await;
    assert!(cnf["jkt"].is_string(), "{cnf}");
    assert_eq!(app.show("/disconnect").await["disconnected"], true);
    assert!(!server.accounts.sees(&server, &last).await);
    assert!(app.browser.get("/refresh").await.status >= 400);
}

/// JAR at PAR: `joserfc` signs the request object, and encrypts it to the published key.
async fn authlib_signs_and_encrypts_its_requests(server: TestServer) {
    let metadata = Metadata {
        require_signed_request_object: true,
        request_object_signing_alg: Some(Alg::Es256),
        request_object_encryption_alg: Some(KeyAlg::EcdhEsA256Kw),
        request_object_encryption_enc: Some(Enc::A256Gcm),
        ..Metadata::default()
    };
    let more = [("SIGNED", Path::new("1"))];
    let mut app = App::start_among(&server, "authlib_fapi.py", metadata, &more).await;
    let ada = server.person("ada").await;
    let answer = app.ask(&server, &ada).await;
    app.take(&answer).await;
    app.has_bound_tokens(&server, &ada, "dpop").await;
}

async fn authlib_refuses_an_answer_that_is_not_for_it(server: TestServer) {
    let mut app = App::start(&server, "authlib_fapi.py", Metadata::default()).await;
    let ada = server.person("ada").await;
    let answer = app.ask(&server, &ada).await;
    let location = answer.page.location().to_owned();
    for (good, bad) in [(answer.get("state"), "forged"), ("iss=http", "iss=ftp")] {
        let spoilt = location.replace(good, bad);
        assert_ne!(spoilt, location);
        let page = app.browser.get(&spoilt).await;
        assert!(page.status >= 400, "{bad}: {page:?}");
    }
    // Nothing of that was asked of the server: the code is still good.
    app.take(&answer).await;
}

/// A partner's web app of the profile, as its program says.
struct App {
    _program: Program,
    home: String,
    browser: Browser,
}

impl App {
    /// Makes its key, registers it, to be held to nonces, and starts it.
    async fn start(server: &TestServer, script: &str, metadata: Metadata) -> Self {
        Self::start_among(server, script, metadata, &[]).await
    }

    /// The same, with more in its environment.
    async fn start_among(
        server: &TestServer,
        script: &str,
        metadata: Metadata,
        more: &[(&str, &Path)],
    ) -> Self {
        let folder = server.directory.path();
        let mut command = program::command("make_key.mjs");
        command.arg(folder);
        program::output(command).await;
        let keys = std::fs::read(folder.join("public-keys.json")).unwrap();
        let auth = NewAuth::Jwks(JwkSet::from_json(&keys).unwrap());
        let metadata = Metadata {
            dpop_nonces: Some(true),
            ..metadata
        };
        let key = folder.join("private-key.jwk.json");
        let environment = [&[("KEY", &*key)], more].concat();
        Self::start_with(server, script, (auth, metadata), &environment).await
    }

    /// Registers it and starts it, with files that its environment names.
    async fn start_with(
        server: &TestServer,
        script: &str,
        (auth, metadata): (NewAuth, Metadata),
        files: &[(&str, &Path)],
    ) -> Self {
        let port = free_port();
        let home = format!("http://127.0.0.1:{port}");
        let new = NewClient {
            id: Some("pocket-budget".to_owned()),
            name: "Pocket Budget".to_owned(),
            auth,
            redirect_uris: vec![format!("{home}/callback")],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scopes: Scopes::parse("openid email offline_access accounts:read").unwrap(),
            id_token_signed_response_alg: None,
            profile: Profile::Fapi2,
            metadata,
        };
        let registered = clients::register(&server.app, new, &caller())
            .await
            .unwrap();
        let mut command = program::client_of(server, script);
        command
            .env("CLIENT_ID", &registered.client.id)
            .env("PORT", port.to_string())
            .envs(files.iter().copied());
        Self {
            _program: Program::start(command, port).await,
            browser: Browser::new(server.http.clone(), &home),
            home,
        }
    }

    /// Sends a person to the bank with a pushed request; gives what she comes back with.
    async fn ask(&mut self, server: &TestServer, person: &Person) -> Answer {
        let page = self.browser.get("/sign-in").await;
        let to = page.location().to_owned();
        assert!(to.starts_with(&server.at("/authorize")), "{}", page.body);
        assert!(
            to.contains("request_uri=") && !to.contains("scope="),
            "{to}"
        );
        let mut bank = server.browser();
        let page = bank.open(&to).await;
        bank.go_on(server, page, person).await
    }

    /// She is back.
    async fn take(&mut self, answer: &Answer) {
        assert_eq!(answer.to, format!("{}/callback", self.home), "{answer:?}");
        let page = self.browser.get(answer.page.location()).await;
        assert!((300..400).contains(&page.status), "{}", page.body);
    }

    /// Its tokens are bound, before and after a refresh; gives the last one, and to what.
    async fn has_bound_tokens(
        &mut self,
        server: &TestServer,
        person: &Person,
        kind: &str,
    ) -> (String, Value) {
        let told = self.show("/").await;
        assert_eq!(told["sub"], person.id.to_string());
        assert_eq!(told["email"], "ada@mail.example");
        let tokens = self.show("/refresh").await;
        let told = tokens["token_type"].as_str().unwrap();
        assert_eq!(told.to_lowercase(), kind);
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        let seen = server.accounts.introspect(server, &token).await;
        // Whoever has the token, and not what it is bound to, has nothing.
        let stolen = server.http.get(server.at("/userinfo")).bearer_auth(&token);
        assert_eq!(Reply::of(stolen).await.status, 401);
        self.show("/").await;
        (token, seen["cnf"].clone())
    }

    /// What a page of it shows.
    async fn show(&mut self, path: &str) -> Value {
        let page = self.browser.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        serde_json::from_str(&page.body).unwrap()
    }
}
