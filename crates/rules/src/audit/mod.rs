//! The audit log's formats: what an event is and its exact bytes, the Merkle tree over those
//! bytes, and the signed checkpoints an auditor verifies without trusting the server.
//!
//! An event's canonical bytes are the leaf ([`Event::leaf_bytes`]); leaves are hashed into the
//! tree of RFC 9162 §2.1 ([`merkle`]); the tree's size and root are published as a C2SP
//! checkpoint ([`Checkpoint`]), a signed note ([`note`]) under a key of its own.

mod canonical;
pub mod checkpoint;
mod event;
mod kind;
pub mod merkle;
pub mod note;
mod personal;
mod verify;

pub use checkpoint::Checkpoint;
pub use event::{Actor, Event, EventError, Outcome};
pub use kind::{Kind, UnknownKind};
pub use merkle::{Frontier, Hash};
pub use personal::Personal;
pub use verify::{Difference, Verification};
