//! People: what a name and a password may be, what counts as a second factor, how strong a
//! sign-in was, and when to stop listening to someone who guesses.
//!
//! Everything here is arithmetic over values that are handed in. Hashing, counting in the database
//! and the pages lie elsewhere.
//!
//! * [`username`]: the one form of a name that lookups use;
//! * [`operator`]: the names by which two operators are told apart;
//! * [`password`]: the password policy (NIST SP 800-63B-4 §3.1.1.2), nothing about composition;
//! * [`totp`] and [`recovery`]: what a typed code can be;
//! * [`assurance`]: `acr`, `amr` and `auth_time` from the proofs that a session holds;
//! * [`authenticator`]: what passkeys and security keys are good for;
//! * [`lockout`]: how long a block lasts, and when a password ends;
//! * [`session`]: idle and absolute limits.

pub mod assurance;
pub mod authenticator;
pub mod lockout;
pub mod operator;
pub mod password;
pub mod recovery;
pub mod session;
pub mod totp;
pub mod username;

pub use assurance::{Acr, Assurance, Method, Policy, Proof};
pub use authenticator::KeyKind;
pub use lockout::Pool;
pub use password::{Password, Weakness};
pub use recovery::RecoveryCode;
pub use session::Liveness;
pub use totp::TypedCode;
pub use username::Username;
