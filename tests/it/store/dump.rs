//! Whoever steals the database reads nobody's name, address, secret or token in it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::flows::users::{self, NewUser};
use serde_json::json;
use sqlx::Connection as _;
use totp_rs::Secret;

use crate::support::browser::consent;
use crate::support::postgres::Cluster;
use crate::support::provider::{Provider, of};
use crate::support::server::caller;
use crate::support::{AuthRequest, Engine, Spec, TestServer, people};

on_both_engines![a_dump_holds_nothing_readable];

/// The database as a thief gets it.
pub async fn dump(server: &TestServer) -> Vec<u8> {
    match server.engine {
        Engine::Sqlite => {
            let path = server.directory.path().join("countersign.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options)
                .await
                .unwrap();
            let sql = "PRAGMA wal_checkpoint(FULL)";
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            let mut bytes = Vec::new();
            for entry in std::fs::read_dir(server.directory.path()).unwrap() {
                bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
            }
            bytes
        }
        Engine::Postgres => {
            let cluster = Cluster::shared();
            let url = cluster.url(server.database.as_deref().unwrap());
            let output = cluster.program("pg_dump").arg(url).output().unwrap();
            assert!(output.status.success());
            output.stdout
        }
    }
}

/// The ways in which a text may lie in a dump.
pub fn disguises(secret: &[u8]) -> Vec<Vec<u8>> {
    use std::fmt::Write as _;
    let hex = secret.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let mut ways = vec![
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    // Base64 of the text wherever it begins: the characters that neighbours cannot change.
    for before in 0..3 {
        let padded = [vec![0; before], secret.to_vec()].concat();
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let from = [0, 2, 3][before];
            let to = padded.len() * 8 / 6;
            ways.push(encoded.as_bytes()[from..to].to_vec());
        }
    }
    // And the base64 text, itself written as hex.
    let nested: Vec<_> = ways[3..]
        .iter()
        .map(|text| {
            text.iter()
                .fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                })
                .into_bytes()
        })
        .collect();
    ways.extend(nested);
    ways
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let finder = |at: &usize| haystack[*at..].starts_with(needle);
    let first = needle[0];
    let mut candidates = haystack
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == first)
        .map(|(at, _)| at);
    candidates.any(|at| finder(&at))
}

async fn a_dump_holds_nothing_readable(engine: Engine) {
    let provider = Provider::start().await;
    let server = provider.server(engine, |_| ()).await;
    let app = server
        .register(Spec::confidential("app").redirect(&["https://redirect-marker.example/cb"]))
        .await;
    let public = server.register(Spec::public("public-app")).await;
    let new = NewUser {
        username: "username-marker".to_owned(),
        claims: serde_json::from_value(json!({
            "name": "Name Marker Lovelace",
            "email": "mail-marker@mail.example",
            "address": { "street_address": "17 Address Marker Lane" },
            "phone_number": "+46 70 5551234567",
        }))
        .unwrap(),
    };
    let invited = users::invite(&server.app, new, &caller()).await.unwrap();
    let link = invited
        .link
        .expose()
        .strip_prefix(&server.issuer)
        .unwrap()
        .to_owned();
    let mut almost = people::go_through(&server, "username-marker", invited.user_id, &link).await;
    // A second ceremony stays open: what it holds must be sealed as well.
    let (_, open_link) = people::invite(&server, "other-username-marker").await;
    let mut open = server.browser();
    let open_factor = people::to_factor(&mut open, &open_link).await;
    let asked = people::asked_code(&almost.page, &almost.person);
    almost
        .browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    let ada = almost.person;

    let mut browser = server.browser();
    let mut markers: Vec<(String, Vec<u8>)> = Vec::new();
    let mut plant =
        |what: &str, secret: &str| markers.push((what.to_owned(), secret.as_bytes().to_vec()));
    let request = AuthRequest::new(&app, "openid profile offline_access accounts:read")
        .with("state", "state-marker-0123456789")
        .with("nonce", "nonce-marker-0123456789")
        .with("login_hint", "hint-marker-0123456789");
    let short = request.pushed(&server, &app).await;
    let page = browser.begin(&server, &short).await;
    for (name, value) in &browser.cookies {
        plant(name, value);
    }
    server
        .browser()
        .try_sign_in("username-marker", "typed-password-marker", "000000")
        .await;
    server
        .browser()
        .try_sign_in("unknown-marker", "typed-password-marker", "000000")
        .await;
    let answer = browser.go_on(&server, page, &ada).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    app.refresh(&server, &tokens.refresh).await.ok();
    let rotating = browser
        .code_flow(&server, &public, &ada, "openid accounts:read")
        .await;
    let next = public.refresh(&server, &rotating.refresh).await.ok();
    app.revoke(&server, &tokens.access).await;
    server.cards.sees(&server, &tokens.access).await;
    // Requests that are still on their way.
    let waiting = request.pushed(&server, &app).await;
    let page = browser.begin(&server, &waiting).await;
    consent(&page);
    let late = AuthRequest::new(&app, "openid").with("state", "state-marker-0123456789");
    let code = browser.walk(&server, &late, &ada).await.code();
    let mut elsewhere = server.browser();
    elsewhere
        .try_sign_in("username-marker", &ada.password, &ada.recovery_codes[1])
        .await;

    // What she has at the institution's provider is linked, and two sign-ins are on their way through it.
    let linked = ada.next_code(&server);
    let form = [("current", ada.password.as_str()), ("code", &linked)];
    provider
        .link(&server, &mut browser, (&form, "subject-marker-at-the-bank"))
        .await;
    for acr in ["", "urn:bank:mfa"] {
        let who = ("subject-marker-at-the-bank", acr);
        provider.walk(&server, &mut elsewhere, who).await;
        let asked = provider.sent(&mut elsewhere, "/sign-in/upstream").await;
        plant("the provider's nonce", &of(&asked, "nonce"));
    }
    plant("the provider's subject", "subject-marker-at-the-bank");

    plant("the name", "Name Marker Lovelace");
    plant("the mail address", "mail-marker@mail.example");
    plant("the address", "17 Address Marker Lane");
    plant("the phone number", "5551234567");
    plant("the user name", "username-marker");
    plant("an unknown user name", "unknown-marker");
    plant("the password", &ada.password);
    plant("a wrong password", "typed-password-marker");
    plant("the client secret", &app.secret);
    plant("the redirect URI", "redirect-marker.example");
    plant("state", "state-marker-0123456789");
    plant("nonce", "nonce-marker-0123456789");
    plant("login_hint", "hint-marker-0123456789");
    plant("the invitation", link.trim_start_matches("/invite/"));
    plant("the browser", "Firefox/140.0");
    plant(
        "request_uri",
        waiting.get("request_uri").rsplit(':').next().unwrap(),
    );
    plant("a used code", &answer.code());
    plant("a fresh code", &code);
    plant("the access token", &tokens.access);
    plant("the refresh token", &tokens.refresh);
    plant(
        "the rotated refresh token",
        next["refresh_token"].as_str().unwrap(),
    );
    plant("the ID token", &tokens.id);
    plant("the verifier", &request.verifier);
    for (name, value) in browser
        .cookies
        .iter()
        .chain(&elsewhere.cookies)
        .chain(&open.cookies)
    {
        plant(name, value);
    }
    for code in &ada.recovery_codes {
        plant("a recovery code", code);
        plant("a recovery code, canonical", &code.replace('-', ""));
    }
    let secrets = [ada.totp_secret.clone(), people::secret(&open_factor)];
    for secret in &secrets {
        plant("the authenticator's secret", secret);
    }
    for secret in &secrets {
        let raw = Secret::try_from_base32(secret).unwrap();
        markers.push((
            "the authenticator's raw secret".to_owned(),
            raw.as_ref().to_vec(),
        ));
    }

    let dump = dump(&server).await;
    // A proof that the search finds what lies open: client ids do.
    assert!(contains(&dump, b"public-app"));
    let mut seen = Vec::new();
    for (what, secret) in &markers {
        assert!(secret.len() >= 8, "{what} is too short to search for");
        if disguises(secret).iter().any(|way| contains(&dump, way)) {
            seen.push(what.as_str());
        }
    }
    assert!(seen.is_empty(), "readable in the dump: {seen:?}");
}
