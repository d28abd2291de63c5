//! Debian's Caddy in front of an API, with `forward_auth`.

use std::fs;
use std::process::Command;

use super::nginx;
use super::program::{Program, examples, free_port};
use crate::fapi::hook;
use crate::support::{Engine, TestServer};

on_both_engines![
    caddy_passes_a_bound_token_with_a_proof_for_this_request_alone,
    caddy_hands_on_the_nonce_that_a_proof_needs,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caddy_asks_the_hook_about_every_request() {
    let server = hook::start(Engine::Sqlite).await;
    let caddy = start(&server).await;
    nginx::asked_about_every_request(&server, &caddy).await;
}

async fn caddy_passes_a_bound_token_with_a_proof_for_this_request_alone(engine: Engine) {
    let server = hook::start(engine).await;
    let caddy = start(&server).await;
    nginx::passes_a_bound_token(&server, &caddy).await;
}

async fn caddy_hands_on_the_nonce_that_a_proof_needs(engine: Engine) {
    let server = hook::start(engine).await;
    let caddy = start(&server).await;
    nginx::hands_on_the_nonce(&server, &caddy).await;
}

/// The guide's file with this machine's addresses, for any host, without TLS; and an API behind it.
async fn start(server: &TestServer) -> Program {
    let (port, behind) = (free_port(), free_port());
    let folder = server.directory.path();
    let mut guide = fs::read_to_string(examples().join("caddy-hook.Caddyfile")).unwrap();
    for (example, here) in [
        (
            "api.bank.example {",
            format!("http://:{port} {{\nbind 127.0.0.1"),
        ),
        ("127.0.0.1:8083", format!("127.0.0.1:{behind}")),
        ("https://login.bank.example", server.issuer.clone()),
    ] {
        assert!(guide.contains(example), "{example}");
        guide = guide.replacen(example, &here, 1);
    }
    let text = format!(
        "{{\nadmin off\nauto_https off\n}}\n{guide}\nhttp://:{behind} {{\nbind 127.0.0.1\n\
         respond \"{{header.X-Countersign-Subject}} {{header.X-Countersign-Client}} \
         {{header.Authorization}}{{header.DPoP}}{{header.DPoP-Nonce}}\"\n}}\n"
    );
    let file = folder.join("Caddyfile");
    fs::write(&file, text).unwrap();
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    // It keeps its state there.
    command.env("HOME", folder);
    command
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder);
    Program::start(command, port).await
}
