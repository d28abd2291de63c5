//! Standing consent: what a person lets a client do, until she stops it or its time is over.

use std::collections::BTreeSet;

use rules::protocol::target::Target;
use rules::protocol::{Scopes, claims};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::authorizations::names;
use super::feed::{EPOCH_MARGIN, What};
use super::sql::{Row, Sql};
use crate::fault::Fault;

/// Standing consent.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its identifier.
    pub id: Uuid,
    /// Given to whom.
    pub client_id: String,
    /// For what.
    pub scopes: Scopes,
    /// Of which APIs.
    pub resources: Vec<String>,
    /// Claims that she agreed to one by one, beside those of the scopes.
    pub claims: BTreeSet<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When the person last said yes.
    pub consented_at: Timestamp,
    /// The newest authorizations with details that she agreed to, newest first; at most [`AGREED`].
    pub agreed: Vec<Uuid>,
}

/// How many authorizations with details are remembered with a grant.
const AGREED: usize = 10;

impl Grant {
    /// Whether all of it was granted, these claims included.
    #[must_use]
    pub fn covers(&self, target: &Target, claims: &BTreeSet<String>) -> bool {
        target.scopes.is_subset(&self.scopes)
            && claims.iter().all(|name| self.tells(name))
            && target
                .resources
                .iter()
                .all(|uri| self.resources.contains(uri))
    }

    /// Whether she agreed that this claim is told, alone or by its scope.
    #[must_use]
    pub fn tells(&self, claim: &str) -> bool {
        let by_scope = claims::scope_of(claim).is_some_and(|scope| self.scopes.contains(scope));
        by_scope || self.claims.contains(claim)
    }
}

/// What stands between a person and a client.
pub async fn standing(tx: &mut Tx, user: Uuid, client_id: &str) -> Result<Option<Grant>, Fault> {
    const FIND: Sql = Sql(
        "SELECT id, client_id, scopes, resources, created_at, consented_at, claims, agreed FROM grants \
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL",
    );
    let row = tx
        .optional(FIND, vec![user.into(), client_id.into()])
        .await?;
    row.as_ref().map(read).transpose()
}

/// The same, locked until the transaction ends: it cannot be stopped meanwhile.
pub async fn lock(tx: &mut Tx, user: Uuid, client_id: &str) -> Result<Option<Grant>, Fault> {
    const LOCK: Sql = Sql("UPDATE grants SET consented_at = consented_at \
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL \
         RETURNING id, client_id, scopes, resources, created_at, consented_at, claims, agreed");
    let row = tx
        .optional(LOCK, vec![user.into(), client_id.into()])
        .await?;
    row.as_ref().map(read).transpose()
}

/// How many grants of a person are listed, at most.
pub const LISTED: usize = 500;

/// Everything that stands for a person, newest first; at most [`LISTED`].
pub async fn of_user(tx: &mut Tx, user: Uuid) -> Result<Vec<Grant>, Fault> {
    const LIST: Sql = Sql(
        "SELECT id, client_id, scopes, resources, created_at, consented_at, claims, agreed FROM grants \
         WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 500",
    );
    let rows = tx.all(LIST, vec![user.into()]).await?;
    rows.iter().map(read).collect()
}

/// What a person answered on the consent page.
pub struct Consent<'a> {
    /// Who.
    pub user: Uuid,
    /// To whom.
    pub client_id: &'a str,
    /// All that was asked for on the page.
    pub asked: &'a Target,
    /// What of it she gave.
    pub given: &'a Target,
    /// The claims that were asked for one by one; she gave all of them.
    pub claims: &'a BTreeSet<String>,
    /// A consent given at or before this is over.
    pub lapsed: Timestamp,
}

/// Writes an answer down: what she gave is added to what stands, what she left out is taken from
/// it. A first grant is made under `id`. Returns the whole.
pub async fn give(
    tx: &mut Tx,
    id: Uuid,
    consent: &Consent<'_>,
    now: Timestamp,
) -> Result<Grant, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO grants (id, client_id, user_id, scopes, resources, created_at, consented_at) \
         VALUES ($1, $2, $3, '', '', $4, $4) \
         ON CONFLICT (user_id, client_id) WHERE revoked_at IS NULL DO NOTHING",
    );
    const WRITE: Sql = Sql(
        "UPDATE grants SET scopes = $2, resources = $3, consented_at = $4, claims = $5 \
             WHERE id = $1",
    );
    let (user, client_id) = (consent.user, consent.client_id);
    let values = vec![id.into(), client_id.into(), user.into(), now.into()];
    tx.execute(INSERT, values).await?;
    // Now it is there: ours, or that of another tab.
    let locked = lock(tx, user, client_id).await?;
    let mut grant =
        locked.ok_or_else(|| Fault::Busy("the grant was revoked at the same moment"))?;
    if grant.consented_at <= consent.lapsed {
        grant.scopes = Scopes::default();
        grant.resources.clear();
        grant.claims.clear();
    }
    let others = grant.scopes.difference(&consent.asked.scopes);
    let left_out = grant
        .scopes
        .difference(&others)
        .difference(&consent.given.scopes);
    let unseen = |name: &String| {
        let by_scope = claims::scope_of(name);
        !consent.claims.contains(name)
            && !by_scope.is_some_and(|scope| consent.asked.scopes.contains(scope))
    };
    if others.is_empty() && !grant.claims.iter().any(unseen) {
        // The page showed all there is; otherwise the rest must not be prolonged by it.
        grant.consented_at = now;
    }
    if !left_out.is_empty() {
        // Tokens that carry what was taken back end; the app refreshes and gets the rest.
        tx.announce(What::GrantEpoch(grant.id), now.plus(EPOCH_MARGIN));
    }
    grant.scopes = others.union(&consent.given.scopes);
    grant.claims.extend(consent.claims.iter().cloned());
    grant
        .resources
        .extend(consent.given.resources.iter().cloned());
    grant.resources.sort_unstable();
    grant.resources.dedup();
    let values = vec![
        grant.id.into(),
        grant.scopes.to_string().into(),
        grant.resources.join(" ").into(),
        grant.consented_at.into(),
        spaced(&grant.claims).into(),
    ];
    tx.execute(WRITE, values).await?;
    Ok(grant)
}

/// Remembers an authorization with details under a grant that is locked, before those that it had.
pub async fn remember(tx: &mut Tx, grant: &Grant, authorization: Uuid) -> Result<(), Fault> {
    const WRITE: Sql = Sql("UPDATE grants SET agreed = $2 WHERE id = $1");
    let ids = std::iter::once(&authorization).chain(&grant.agreed);
    let ids: Vec<String> = ids.take(AGREED).map(Uuid::to_string).collect();
    let values = vec![grant.id.into(), ids.join(" ").into()];
    tx.execute(WRITE, values).await.map(drop)
}

/// Stops a grant of a person, and says whose it was; none when it is not hers or was stopped before.
pub async fn revoke(
    tx: &mut Tx,
    id: Uuid,
    user: Uuid,
    now: Timestamp,
) -> Result<Option<String>, Fault> {
    const REVOKE: Sql = Sql(
        "UPDATE grants SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL \
         RETURNING client_id",
    );
    let values = vec![id.into(), user.into(), now.into()];
    let row = tx.optional(REVOKE, values).await?;
    if row.is_some() {
        tx.announce(What::Grant(id), now);
    }
    row.map(|row| row.text(0)).transpose()
}

/// Stops every grant of a person; says how many.
pub async fn revoke_all(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<usize, Fault> {
    const REVOKE: Sql = Sql(
        "UPDATE grants SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id",
    );
    let stopped = tx.all(REVOKE, vec![user.into(), now.into()]).await?;
    for row in &stopped {
        let grant = row.uuid(0)?;
        tx.announce(What::Grant(grant), now);
    }
    Ok(stopped.len())
}

/// Ends the next few hundred grants of a client whose ids come after `after`, and says which. Their
/// tokens are void already: nothing is announced.
pub async fn end_of_client(
    tx: &mut Tx,
    client_id: &str,
    after: Uuid,
    now: Timestamp,
) -> Result<Vec<Uuid>, Fault> {
    const END: Sql = Sql(
        "UPDATE grants SET revoked_at = $3 WHERE revoked_at IS NULL AND id IN (SELECT id FROM grants \
         WHERE client_id = $1 AND revoked_at IS NULL AND id > $2 ORDER BY id LIMIT 500) RETURNING id",
    );
    let values = vec![client_id.into(), after.into(), now.into()];
    let rows = tx.all(END, values).await?;
    rows.iter().map(|row| row.uuid(0)).collect()
}

/// Takes scopes from the next few hundred grants of a client whose ids come after `after`; says which
/// were looked at, and how many had any of them.
pub async fn take_from_client(
    tx: &mut Tx,
    client_id: &str,
    taken: &Scopes,
    after: Uuid,
) -> Result<(Option<Uuid>, u64), Fault> {
    const LOCK: Sql = Sql(
        "UPDATE grants SET consented_at = consented_at WHERE revoked_at IS NULL AND id IN \
         (SELECT id FROM grants WHERE client_id = $1 AND revoked_at IS NULL AND id > $2 \
         ORDER BY id LIMIT 500) RETURNING id, scopes",
    );
    const TAKE: Sql = Sql("UPDATE grants SET scopes = $2 WHERE id = $1");
    let (mut last, mut changed) = (None, 0);
    for row in tx.all(LOCK, vec![client_id.into(), after.into()]).await? {
        let id = row.uuid(0)?;
        last = last.max(Some(id));
        let scopes = Scopes::parse(&row.text(1)?)
            .map_err(|_| Fault::Unreadable("grants.scopes".to_owned()))?;
        let left = scopes.difference(taken);
        if left != scopes {
            tx.execute(TAKE, vec![id.into(), left.to_string().into()])
                .await?;
            changed += 1;
        }
    }
    Ok((last, changed))
}

fn spaced(claims: &BTreeSet<String>) -> String {
    let names: Vec<&str> = claims.iter().map(String::as_str).collect();
    names.join(" ")
}

fn read(row: &Row) -> Result<Grant, Fault> {
    let resources = row.text(3)?;
    Ok(Grant {
        id: row.uuid(0)?,
        client_id: row.text(1)?,
        scopes: Scopes::parse(&row.text(2)?)
            .map_err(|_| Fault::Unreadable("grants.scopes".to_owned()))?,
        resources: resources
            .split(' ')
            .filter(|uri| !uri.is_empty())
            .map(str::to_owned)
            .collect(),
        created_at: row.time(4)?,
        consented_at: row.time(5)?,
        claims: names(&row.text(6)?),
        agreed: row
            .opt_text(7)?
            .unwrap_or_default()
            .split(' ')
            .filter_map(|id| Uuid::try_parse(id).ok())
            .collect(),
    })
}
