//! People's pages, as a browser without scripts meets them.

mod account;
mod activation;
mod brand;
mod csrf;
mod lockout;
mod restart;
mod session;
mod sign_in;
