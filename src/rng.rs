//! Randomness: the one place that asks for it.

use std::cell::RefCell;

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

/// How much is drawn together for identifiers that are no secret.
const TOGETHER: usize = 640;

thread_local! {
    static DRAWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A new identifier of the same form for what is named and not kept, such as a request: the
/// randomness for many is drawn at once, which costs a request a microsecond less.
///
/// # Errors
/// As [`bytes`].
pub fn passing_uuid(now: Timestamp) -> Result<Uuid, Fault> {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let random = DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            drawn.extend(bytes::<TOGETHER>()?);
        }
        let mut random = [0; 10];
        let rest = drawn.len() - random.len();
        random.copy_from_slice(&drawn[rest..]);
        drawn.truncate(rest);
        Ok::<_, Fault>(random)
    })?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_of_requests_differ() {
        let now = Timestamp::from_secs(1_800_000_000);
        let many: HashSet<Uuid> = (0..1000).filter_map(|_| passing_uuid(now).ok()).collect();
        assert_eq!(many.len(), 1000);
        assert!(many.iter().all(|id| id.get_version_num() == 7));
    }
}
