//! Headers that a request has once or not at all. Of two that came, proxies and servers choose
//! differently, so here neither counts.

use std::fmt;

use axum::http::header::{HeaderMap, HeaderName};

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It came more than once.
    Repeated,
    /// It is not printable ASCII.
    Unreadable,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "came more than once",
            Self::Unreadable => "is not readable text",
        })
    }
}

/// The value of a header, when there is one.
///
/// # Errors
/// [`Unusable`].
pub fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Unusable> {
    let mut all = headers.get_all(name).iter();
    let Some(first) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return Err(Unusable::Repeated);
    }
    let text = first.to_str().map_err(|_| Unusable::Unreadable)?;
    Ok(Some(text))
}
