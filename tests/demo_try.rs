#![allow(clippy::unwrap_used, clippy::expect_used)]
#[path = "it/demo.rs"]
mod demo;
