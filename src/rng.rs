//! Randomness: the one place that asks for it.

use rules::time::Timestamp;
use uuid::Uuid;

use crate::fault::Fault;

/// `N` bytes from the operating system's generator.
///
/// # Errors
/// [`Fault::Randomness`] when the system has none to give; nothing can be issued then.
pub fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Fault::Randomness)?;
    Ok(bytes)
}

/// A new time-ordered identifier (`UUIDv7`, RFC 9562 §5.7).
///
/// # Errors
/// As [`bytes`].
pub fn uuid(now: Timestamp) -> Result<Uuid, Fault> {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &bytes()?).into_uuid())
}
