//! Countersign, an OAuth 2.0 and OpenID Connect authorization server: the map of its modules.

pub mod clock;
pub mod fault;
pub mod rng;
pub mod secret;
pub mod store;
pub mod vault;
