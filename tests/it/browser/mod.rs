//! What a person does, in a real browser, with all three parties of the demo.

mod demo;
mod gallery;
mod journey;
mod layout;
mod passkeys;
mod patience;
mod pictures;
mod reveal;
