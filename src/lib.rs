//! Countersign, an OAuth 2.0 and OpenID Connect authorization server: the map of its modules.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod defence;
pub mod document;
pub mod fault;
pub mod flows;
pub mod hasher;
pub mod http;
pub mod jobs;
pub mod keyring;
pub mod outbound;
pub mod paths;
pub mod registry;
pub mod rng;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod totp;
pub mod vault;
pub mod words;
pub mod workers;
