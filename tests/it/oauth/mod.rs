//! The machine endpoints, as an app's developer meets them.

mod authorize;
mod client_auth;
mod client_credentials;
mod code;
mod consent;
mod discovery;
mod http;
mod id_token;
mod introspection;
mod jwt_access;
mod late;
mod prompt;
mod pushed;
mod races;
mod refresh;
mod registration;
mod revocation;
mod userinfo;
