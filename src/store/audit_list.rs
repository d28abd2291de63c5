//! Looking for audit events.

use rules::audit::{Event, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use crate::fault::Fault;
use crate::store::Tx;
use crate::store::sql::{Sql, Value};

/// Which events are wanted.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Of this person.
    pub subject: Option<Uuid>,
    /// Of this client.
    pub client: Option<String>,
    /// Of these kinds; of any when there are none.
    pub kinds: Vec<Kind>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this event.
    pub before: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
}

/// How many events are looked at together.
const PAGE: u32 = 500;
/// How many events are looked at in all.
const FARTHEST: u32 = 1_000_000;

/// Events that fit, newest first; and where looking ended, when older ones were not looked at.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<(Vec<Event>, Option<Uuid>), Fault> {
    const OF_ALL: Sql = Sql(
        "SELECT id, leaf FROM audit_events WHERE id < $1 AND id >= $2 \
         ORDER BY id DESC LIMIT $3",
    );
    const OF_PERSON: Sql = Sql(
        "SELECT id, leaf FROM audit_events WHERE id < $1 AND id >= $2 \
         AND subject = $4 ORDER BY id DESC LIMIT $3",
    );
    // Identifiers begin with the time (RFC 9562 §5.7).
    let since = filter.since.map_or(Uuid::nil(), |since| {
        let millis = u64::try_from(since.millis()).unwrap_or(0);
        let bits = u128::from(millis) << 80;
        Uuid::from_u128(bits)
    });
    let mut before = filter.before.unwrap_or(Uuid::max());
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut all = false;
    while found.len() < filter.limit as usize && looked_at < FARTHEST && !all {
        let mut values: Vec<Value> = vec![before.into(), since.into(), PAGE.into()];
        let rows = match filter.subject {
            None => tx.all(OF_ALL, values).await?,
            Some(subject) => {
                values.push(subject.into());
                tx.all(OF_PERSON, values).await?
            }
        };
        for row in &rows {
            before = row.uuid(0)?;
            let event = Event::parse(&row.bytes(1)?)
                .map_err(|error| Fault::Unreadable(format!("audit_events.leaf: {error}")))?;
            if fits(filter, &event) {
                found.push(event);
            }
        }
        looked_at += PAGE;
        all = rows.len() < PAGE as usize;
    }
    let more = !all && found.len() < filter.limit as usize;
    found.truncate(filter.limit as usize);
    Ok((found, more.then_some(before)))
}

fn fits(filter: &Filter, event: &Event) -> bool {
    let of_client = filter.client.is_none() || filter.client == event.client;
    let of_kind = filter.kinds.is_empty() || filter.kinds.contains(&event.kind);
    of_client && of_kind
}
