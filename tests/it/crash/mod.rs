//! The server dies, and what it acknowledged is compared with what exists.

mod account;
mod check;
mod child;
mod machines;
mod operator;
mod people;
mod points;
mod visitor;
mod world;
