//! Clients of other ecosystems, as they come from npm, `PyPI` and Debian, each in a program of its
//! own that is also the example of a guide. Nothing of them is adapted to this server.

mod apache;
mod api;
mod authlib;
mod caddy;
mod fapi;
mod fido2;
mod jwe;
mod nginx;
mod openid_client;
mod partner;
mod program;

use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::flows::resources;
use rules::jose::JwkSet;
use rules::protocol::{GrantType, Metadata, Profile, Scopes};
use serde_json::Value;

use crate::oauth::logout;
use crate::support::server::{ACCOUNTS, caller};
use crate::support::{Browser, ClientApp, Person, Spec, TestServer};
use program::{Program, free_port};

/// A partner's web app, as its program says: where it listens is part of its registration.
struct WebApp {
    program: Program,
    client: ClientApp,
    home: String,
    browser: Browser,
}

impl WebApp {
    /// Registers it and starts it; `script` is a file of `tests/clients`.
    async fn start(server: &TestServer, script: &str, api: &Program) -> Self {
        let port = free_port();
        let home = format!("http://127.0.0.1:{port}");
        let spec = Spec::confidential("pocket-budget")
            .redirect(&[&format!("{home}/callback")])
            .metadata(Metadata {
                post_logout_redirect_uris: vec![format!("{home}/signed-out")],
                ..Metadata::default()
            });
        let client = server.register(spec).await;
        let mut command = program::client_of(server, script);
        command
            .env("CLIENT_ID", &client.id)
            .env("CLIENT_SECRET", &client.secret)
            .env("API", format!("http://127.0.0.1:{}", api.port))
            .env("PORT", port.to_string());
        let program = Program::start(command, port).await;
        let browser = Browser::new(server.http.clone(), &home);
        Self {
            program,
            client,
            home,
            browser,
        }
    }

    /// Sends a person through the bank and back.
    async fn sign_in(&mut self, server: &TestServer, bank: &mut Browser, person: &Person) {
        let page = self.browser.get("/sign-in").await;
        let to = page.location().to_owned();
        assert!(to.starts_with(&server.at("/authorize")), "{page:?}");
        let page = bank.open(&to).await;
        let answer = bank.go_on(server, page, person).await;
        assert_eq!(answer.to, format!("{}/callback", self.home), "{answer:?}");
        let page = self.browser.get(answer.page.location()).await;
        assert!((300..400).contains(&page.status), "{}", page.body);
    }

    /// What a page of it shows.
    async fn show(&mut self, path: &str) -> Value {
        let page = self.browser.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        serde_json::from_str(&page.body).unwrap()
    }
}

/// The bank's accounts API: the example of an API in Node.js.
async fn accounts_api(server: &TestServer) -> Program {
    let port = free_port();
    let mut command = program::client_of(server, "accounts_api.mjs");
    command
        .env("CLIENT_ID", &server.accounts.id)
        .env("CLIENT_SECRET", &server.accounts.secret)
        .env("RESOURCE", ACCOUNTS)
        .env("PORT", port.to_string());
    Program::start(command, port).await
}

/// Signs in, asks who it is, calls an API, refreshes, and gives everything back.
async fn a_web_app_does_everything(server: &TestServer, script: &str) {
    short_lived(server).await;
    let api = accounts_api(server).await;
    let mut app = WebApp::start(server, script, &api).await;
    let ada = server.person("ada").await;
    let mut bank = server.browser();
    app.sign_in(server, &mut bank, &ada).await;

    let told = app.show("/").await;
    assert_eq!(told["sub"], ada.id.to_string());
    assert_eq!(told["email"], "ada@mail.example");
    assert_eq!(told["acr"], "urn:countersign:acr:2fa", "{told}");
    let seen = app.show("/accounts").await;
    assert_eq!(seen["sub"], ada.id.to_string());
    assert_eq!(seen["client_id"], app.client.id);

    // A new token when it asks for one, and by itself when the one it has is about to end.
    let first = app.show("/refresh").await["access_token"].clone();
    let first = first.as_str().unwrap().to_owned();
    assert!(server.accounts.sees(server, &first).await);
    app.client.revoke(server, &first).await;
    assert_eq!(app.show("/accounts").await["client_id"], app.client.id);

    let last = app.show("/refresh").await["access_token"].clone();
    let last = last.as_str().unwrap().to_owned();
    assert!(server.accounts.sees(server, &last).await);
    assert_eq!(app.show("/disconnect").await["disconnected"], true);
    assert!(!server.accounts.sees(server, &last).await);
    assert!(app.program.is_running());
}

/// An answer that another server, or another sign-in, gave is refused.
async fn a_web_app_refuses_what_it_did_not_ask_for(server: &TestServer, script: &str) {
    let api = accounts_api(server).await;
    let mut app = WebApp::start(server, script, &api).await;
    let ada = server.person("ada").await;
    let page = app.browser.get("/sign-in").await;
    let mut bank = server.browser();
    let page = bank.open(page.location()).await;
    let answer = bank.go_on(server, page, &ada).await;
    let location = answer.page.location().to_owned();
    for (good, bad) in [
        (answer.get("state"), "forged"),
        // RFC 9207: a code of another server must not be sent to this one.
        ("iss=http", "iss=ftp"),
    ] {
        let spoilt = location.replace(good, bad);
        assert_ne!(spoilt, location);
        let page = app.browser.get(&spoilt).await;
        assert!(page.status >= 400, "{bad}: {page:?}");
    }
}

/// At the bank too. The ID token says whose session ends, so that she is asked nothing; when somebody
/// else signed in there since, he is asked.
async fn a_web_app_signs_a_person_out(server: &TestServer, script: &str) {
    let api = accounts_api(server).await;
    let mut app = WebApp::start(server, script, &api).await;
    for (name, then) in [("ada", None), ("bea", Some("carl"))] {
        let person = server.person(name).await;
        let mut bank = server.browser();
        app.sign_in(server, &mut bank, &person).await;
        if let Some(then) = then {
            bank = server.browser();
            bank.sign_in(server, &server.person(then).await).await;
        }
        let page = app.browser.get("/sign-out").await;
        let to = page.location().to_owned();
        assert!(to.starts_with(&server.at("/end_session")), "{page:?}");
        let mut page = bank.open(&to).await;
        assert_eq!(bank.is_signed_in().await, then.is_some());
        if then.is_some() {
            page = logout::confirm(&mut bank, &page).await;
            assert!(!bank.is_signed_in().await);
        }
        let back = page.location().to_owned();
        let home = format!("{}/signed-out?state=", app.home);
        assert!(back.starts_with(&home), "{page:?}");
        assert_eq!(app.show(&back).await["signed_out"], true);
        let page = app.browser.get("/").await;
        assert!(page.location().ends_with("/sign-in"), "{page:?}");
    }
}

/// Its access tokens end so soon that an app must refresh before every call.
async fn short_lived(server: &TestServer) {
    let all = resources::list(&server.app).await.unwrap();
    let mut resource = all.into_iter().find(|one| one.uri == ACCOUNTS).unwrap();
    resource.access_token_lifetime = 30;
    resources::put(&server.app, resource, &caller())
        .await
        .unwrap();
}

/// A job with a key of its own gets a token and calls the API.
async fn a_job_with_a_key_calls_the_api(server: &TestServer, script: &str) {
    let api = accounts_api(server).await;
    let folder = server.directory.path();
    let mut command = program::command("make_key.mjs");
    program::output({
        command.arg(folder);
        command
    })
    .await;
    let keys = std::fs::read(folder.join("public-keys.json")).unwrap();
    let new = NewClient {
        id: Some("statements".to_owned()),
        name: "Statements".to_owned(),
        auth: NewAuth::Jwks(JwkSet::from_json(&keys).unwrap()),
        redirect_uris: vec![],
        grant_types: vec![GrantType::ClientCredentials],
        scopes: Scopes::from_iter(["accounts:read"]),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata::default(),
    };
    let job = clients::register(&server.app, new, &caller())
        .await
        .unwrap();
    let job = job.client;
    let mut command = program::client_of(server, script);
    command
        .env("CLIENT_ID", &job.id)
        .env("KEY", folder.join("private-key.jwk.json"))
        .env("API", format!("http://127.0.0.1:{}", api.port))
        .env("SCOPE", "accounts:read");
    let printed = program::output(command).await;
    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(seen["client_id"], job.id);
    assert_eq!(seen["sub"], job.id);
}
