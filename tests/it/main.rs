//! Every test that runs the server whole, over real HTTP, on both databases: one binary.

#![allow(
    clippy::unwrap_used,
    clippy::assigning_clones,
    clippy::format_collect,
    clippy::large_futures,
    clippy::similar_names,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    dead_code,
    reason = "a test says what is wrong by panicking, and reads as a story"
)]

#[macro_use]
mod support;

mod arrows;
mod audit;
mod browser;
mod cli;
mod clients;
#[cfg(debug_assertions)]
mod crash;
mod demo;
mod errors;
mod fapi;
mod faults;
mod growth;
mod guides;
mod keep;
mod limits;
mod mail;
mod mtls;
mod nodes;
mod oauth;
mod operate;
mod pages;
mod properties;
mod readme;
mod recovery;
mod reference;
mod server;
mod standards;
mod store;
mod upstream;
mod words;
