//! What can go wrong that is nobody's request's fault. A fault is answered with 503 and is never a
//! verdict about a person or a token.

use std::fmt;

/// A failure of this server or of what it stands on.
#[derive(Debug)]
pub enum Fault {
    /// The database failed, is gone, or refused the statement.
    Storage(sqlx::Error),
    /// The database cannot be reached or used; a sentence that says why and what to do.
    Unreachable(String),
    /// A constraint of the schema was violated (a name that is taken, say).
    Constraint(String),
    /// Too much waits already; trying again after a moment helps.
    Busy(&'static str),
    /// What lies in the database could not be unsealed or read: the wrong root key, or tampering.
    Unreadable(String),
    /// The operating system gave no randomness.
    Randomness,
    /// A signature could not be made.
    Signing(String),
    /// Something else broke; the text is for the log.
    Internal(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => write!(f, "storage: {error}"),
            Self::Constraint(what) => write!(f, "constraint: {what}"),
            Self::Busy(what) => write!(f, "busy: {what}"),
            Self::Unreadable(what) => write!(f, "cannot be read: {what}"),
            Self::Randomness => f.write_str("the operating system gave no randomness"),
            Self::Signing(what) => write!(f, "signing: {what}"),
            Self::Internal(what) | Self::Unreachable(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Fault {}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database)
                if database.is_unique_violation()
                    || database.is_foreign_key_violation()
                    || database.is_check_violation() =>
            {
                Self::Constraint(database.message().to_owned())
            }
            _ => Self::Storage(error),
        }
    }
}
