//! People's pages, as a browser without scripts meets them.

mod account;
mod account_activity;
mod account_dispute;
mod account_password;
mod account_recovery;
mod activation;
mod brand;
mod csrf;
mod dispute_keys;
mod key_attacks;
mod lockout;
pub(crate) mod passkeys;
mod restart;
mod session;
mod sign_in;
mod step_up;
