//! Whoever comes too often waits, and nobody else does.

mod machines;
mod people;
mod stuffing;
mod support;
