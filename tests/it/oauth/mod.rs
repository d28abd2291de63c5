//! The machine endpoints, as an app's developer meets them.

mod authorize;
mod backchannel;
mod basic;
mod claims;
mod client_auth;
mod client_credentials;
mod code;
mod compat;
mod consent;
mod discovery;
mod hints;
mod http;
mod id_token;
mod introspection;
mod jwt_access;
mod late;
mod logout;
mod pairwise;
mod prompt;
mod pushed;
mod races;
mod refresh;
mod registration;
mod revocation;
mod userinfo;
