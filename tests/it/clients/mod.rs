//! The server as independent client libraries see it: what they read, send and verify is theirs.

mod oathtool;
mod oauth;
mod openid;
mod stock;
mod transport;
