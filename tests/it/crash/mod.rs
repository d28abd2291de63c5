//! The server dies, and what it acknowledged is compared with what exists.

mod account;
mod check;
mod child;
mod machines;
mod mailbox;
mod operator;
mod passkeys;
mod people;
mod points;
mod recovery;
mod upstream;
mod visitor;
mod world;
