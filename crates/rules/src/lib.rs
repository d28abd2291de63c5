//! The rules of Countersign, pure: no clock, no network, no database. What a rule needs to know
//! (the time included) is handed to it; what it decides is a value.

pub mod audit;
pub mod identity;
pub mod jose;
pub mod network;
pub mod protocol;
pub mod time;
