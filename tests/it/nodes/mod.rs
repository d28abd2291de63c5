//! Several nodes on one PostgreSQL: what is good once is good once, whoever is asked; what is
//! revoked, changed or counted on one is so on all; nodes come and go, and the database moves.

#![allow(
    clippy::disallowed_methods,
    reason = "nodes are processes, and share the real clock"
)]

mod balancer;
mod everywhere;
mod failover;
mod following;
mod history;
mod once;
mod pooler;
mod process;
mod proxy;
mod released;
mod rolling;
mod slowly;
mod wire;
