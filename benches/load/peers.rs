//! The same load on npm's `oidc-provider`, started on the same processor in the same run:
//! `benches/peers/` holds it, and says how it is set up.

use std::collections::HashMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::process::Process;
use crate::work::{Asker, Right, Row, any, authorization_request, families, form, post};
use crate::{Engine, Failed};

/// It must be told which API a person's scopes belong to.
const RESOURCE: &str = "resource=https%3A%2F%2Fapi.bank.example%2Faccounts&";

/// Where it keeps what it gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Nowhere that lasts.
    Memory,
    /// Where the server under test does.
    Engine(Engine),
}

impl Store {
    /// Those that are measured beside an engine.
    pub fn beside(engine: Engine) -> Vec<Self> {
        match engine {
            Engine::Sqlite => vec![Self::Memory, Self::Engine(engine)],
            Engine::Postgres => vec![Self::Engine(engine)],
        }
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Engine(engine) => engine.name(),
        }
    }

    const fn argument(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Engine(Engine::Sqlite) => "sqlite",
            Self::Engine(Engine::Postgres) => "postgres",
        }
    }
}

/// A running peer.
pub struct Peer {
    process: Process,
    told: Told,
}

/// What it prints when it is ready.
#[derive(Deserialize)]
struct Told {
    port: u16,
    basic: HashMap<String, String>,
    tokens: Vec<String>,
    kept: Vec<String>,
    rotating: Vec<String>,
    sessions: Vec<String>,
}

impl Peer {
    /// Starts it with a store that lies at `place`, and waits until it is ready.
    pub fn start(store: Store, place: &str, scratch: &Path, tokens: usize) -> Result<Self, Failed> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        if !directory.join("node_modules").exists() {
            return Err("the peers are not installed: run `npm ci` in benches/peers".into());
        }
        let log = scratch.join(format!("peer-{}.log", store.argument()));
        let server = directory.join("server.mjs").display().to_string();
        // More tokens would only fill its memory: each is found by its key.
        let many = tokens.min(10_000).to_string();
        let arguments = [server.as_str(), store.argument(), place, &many];
        let node = PathBuf::from("node");
        let mut process = Process::on_server_core(&node, &arguments, File::create(&log)?)?;
        let line = process.first_line()?;
        let told = serde_json::from_str(&line).map_err(|error| {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            format!("oidc-provider did not start ({error}):\n{log}")
        })?;
        Ok(Self { process, told })
    }

    /// Where it listens, and its number.
    pub fn asked(&self) -> (SocketAddr, u32) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.told.port));
        (address, self.process.id())
    }

    /// What each connection asks; `None` for what it does not do.
    pub fn askers(&self, row: Row, connections: usize) -> Option<Vec<Asker>> {
        let host = format!("127.0.0.1:{}", self.told.port);
        let basic = |client: &str| self.told.basic.get(client).map(String::as_str);
        let each = |requests: Vec<Vec<u8>>, status, within| {
            let right = Right { status, within };
            any(&requests.into(), right, connections)
        };
        let introspect = |tokens: Vec<String>, within| {
            let head = post("/token/introspection", &host, basic("bench-api"));
            let ask = |token: &String| form(&head, &["token=", token]);
            each(tokens.iter().map(ask).collect(), 200, within)
        };
        let own = |scope: &str, resource: &str| {
            let asked = format!(
                "grant_type=client_credentials&scope={scope}%3Aread\
                 &resource=https%3A%2F%2Fapi.bank.example%2F{resource}"
            );
            let head = post("/token", &host, basic("bench-machine"));
            each(vec![form(&head, &[&asked])], 200, "\"access_token\"")
        };
        Some(match row {
            Row::Discovery => {
                let path = "/.well-known/openid-configuration";
                let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
                each(vec![request.into_bytes()], 200, "")
            }
            Row::Introspection => introspect(self.told.tokens.clone(), "\"active\":true"),
            Row::IntrospectionUnknown => {
                let garbage = self.told.tokens.iter().take(1000);
                let garbage = garbage.map(|token| token.chars().rev().collect());
                introspect(garbage.collect(), "\"active\":false")
            }
            Row::ClientCredentials => own("accounts", "accounts"),
            Row::ClientCredentialsEs256 => own("cards", "cards"),
            Row::Par => {
                let head = post("/request", &host, basic("bench-app"));
                let named = "client_id=bench-app&";
                let request = form(&head, &[named, RESOURCE, &authorization_request()]);
                each(vec![request], 201, "request_uri")
            }
            Row::Refresh => {
                let head = post("/token", &host, basic("bench-app")).into();
                families(&head, &self.told.kept, connections, false)
            }
            Row::RefreshRotation => {
                let head = post("/token", &host, None).into();
                families(&head, &self.told.rotating, connections, true)
            }
            Row::Authorize => {
                let query = authorization_request();
                let ask = |cookie: &String| {
                    let asked = format!("client_id=bench-app&{RESOURCE}{query}");
                    let head = format!("GET /auth?{asked} HTTP/1.1\r\n");
                    let cookie = format!("cookie: _session={cookie}");
                    format!("{head}host: {host}\r\n{cookie}\r\n\r\n").into_bytes()
                };
                each(self.told.sessions.iter().map(ask).collect(), 303, "code=")
            }
            // It verifies no access token that is a JWT, knows no passwords, and is set up without keys
            // of clients; it has no hook.
            Row::IntrospectionJwt
            | Row::ParSigned
            | Row::ClientCredentialsDpop
            | Row::HookDpop
            | Row::SignIn => return None,
        })
    }
}
