//! The store: one SQL for two engines, nothing readable in it, one server on a file.

pub mod dump;
mod guards;
pub mod statements;
