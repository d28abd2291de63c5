//! Authorizations: one issuance under a grant (or a client's own), which tokens point to.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rules::protocol::target::Target;
use rules::protocol::{ClaimsRequest, Details, Scopes};
use rules::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::Tx;
use super::feed::What;
use super::sql::{Row, Sql};
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// What tokens point to.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Its identifier.
    pub id: Uuid,
    /// For which client.
    pub client_id: String,
    /// On whose behalf; none for a client's own.
    pub person: Option<OnBehalf>,
    /// What of.
    pub target: Target,
    /// What is told claim by claim, beside what the scopes tell.
    pub claims: ClaimsRequest,
    /// What was granted beyond scopes (RFC 9396).
    pub details: Details,
    /// When it was made.
    pub created_at: Timestamp,
    /// The absolute end.
    pub expires_at: Timestamp,
    /// Whether it, the grant behind it, or all that the person had then, was revoked.
    pub revoked: bool,
}

/// The person behind an authorization.
#[derive(Clone, Debug)]
pub struct OnBehalf {
    /// Who.
    pub user_id: Uuid,
    /// Under which grant.
    pub grant_id: Uuid,
    /// The session in which it was given (`sid`).
    pub session_id: Uuid,
    /// Whether it outlives that session (`offline_access`).
    pub offline: bool,
    /// How she was authenticated then.
    pub acr: String,
    /// By what (RFC 8176), space-delimited.
    pub amr: String,
    /// When.
    pub auth_time: Timestamp,
}

/// Stores one given by a person.
pub async fn insert(tx: &mut Tx, new: &Authorization, now: Timestamp) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO authorizations (id, client_id, grant_id, user_id, session_id, offline, scopes, \
         resources, acr, amr, auth_time, created_at, expires_at, claims, \
         details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    );
    let person = new.person.as_ref();
    let claims = sealed(tx, claims_cell(&new.id), &new.claims, new.claims.is_empty())?;
    let details = sealed(
        tx,
        details_cell(&new.id),
        &new.details,
        new.details.is_empty(),
    )?;
    let values = vec![
        new.id.into(),
        (&new.client_id).into(),
        person.map(|p| p.grant_id).into(),
        person.map(|p| p.user_id).into(),
        person.map(|p| p.session_id).into(),
        person.is_some_and(|p| p.offline).into(),
        new.target.scopes.to_string().into(),
        new.target.resources.join(" ").into(),
        person.map(|p| p.acr.clone()).into(),
        person.map(|p| p.amr.clone()).into(),
        person.map(|p| p.auth_time).into(),
        now.into(),
        new.expires_at.into(),
        claims.into(),
        details.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// What is asked claim by claim, or in details, may name values about the person.
fn sealed(
    tx: &Tx,
    cell: Cell<'_>,
    value: &impl Serialize,
    is_empty: bool,
) -> Result<Option<Vec<u8>>, Fault> {
    if is_empty {
        return Ok(None);
    }
    let plain = serde_json::to_vec(value).map_err(|error| Fault::Internal(error.to_string()))?;
    tx.vault()?.seal(KeyUse::Columns, cell, &plain).map(Some)
}

/// Looks one up.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Authorization>, Fault> {
    const FIND: Sql = Sql(
        "SELECT a.id, a.client_id, a.grant_id, a.user_id, a.session_id, a.offline, a.scopes, \
         a.resources, a.acr, a.amr, a.auth_time, a.expires_at, COALESCE(a.revoked_at, g.revoked_at), \
         a.created_at, u.valid_from, a.claims, g.scopes, g.claims, a.details \
         FROM authorizations a LEFT JOIN grants g ON g.id = a.grant_id LEFT JOIN users u ON u.id = a.user_id \
         WHERE a.id = $1",
    );
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.map(|row| read(tx, &row, 0)).transpose()
}

/// What an authorization lets its client be told claim by claim.
pub async fn claims(tx: &mut Tx, id: Uuid) -> Result<ClaimsRequest, Fault> {
    const FIND: Sql = Sql(
        "SELECT a.claims, g.scopes, g.claims FROM authorizations a JOIN grants g ON g.id = a.grant_id \
         WHERE a.id = $1 AND a.claims IS NOT NULL",
    );
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.map_or(Ok(ClaimsRequest::default()), |row| {
        read_claims(tx, id, &row, 0)
    })
}

/// Reads three columns: what was asked, and the scopes and claims of the grant as it stands now.
/// What the person took back since then is told no more.
fn read_claims(tx: &Tx, id: Uuid, row: &Row, at: usize) -> Result<ClaimsRequest, Fault> {
    let Some(sealed) = row.opt_bytes(at)? else {
        return Ok(ClaimsRequest::default());
    };
    let plain = tx.vault()?.open_cell(claims_cell(&id), &sealed)?;
    let asked: ClaimsRequest = serde_json::from_slice(&plain)
        .map_err(|_| Fault::Unreadable("authorizations.claims".to_owned()))?;
    let scopes = granted_scopes(&row.opt_text(at + 1)?.unwrap_or_default())?;
    let agreed = names(&row.opt_text(at + 2)?.unwrap_or_default());
    Ok(asked.within(&scopes, &agreed))
}

fn granted_scopes(text: &str) -> Result<Scopes, Fault> {
    Scopes::parse(text).map_err(|_| Fault::Unreadable("grants.scopes".to_owned()))
}

/// A space-delimited list of names of claims.
pub(super) fn names(text: &str) -> BTreeSet<String> {
    text.split(' ')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Reads what was granted beyond scopes.
fn read_details(tx: &Tx, id: Uuid, row: &Row, at: usize) -> Result<Details, Fault> {
    let Some(sealed) = row.opt_bytes(at)? else {
        return Ok(Details::default());
    };
    let plain = tx.vault()?.open_cell(details_cell(&id), &sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Fault::Unreadable("authorizations.details".to_owned()))
}

fn details_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("authorizations", "details", id.as_bytes())
}

fn claims_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("authorizations", "claims", id.as_bytes())
}

/// The one authorization of a client for itself with this `lookup` (a hash of what it is for); the
/// first to come makes it.
pub async fn of_client(
    tx: &mut Tx,
    new: &Authorization,
    lookup: [u8; 32],
    now: Timestamp,
) -> Result<Uuid, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO authorizations (id, client_id, offline, scopes, resources, lookup, created_at, \
         expires_at) VALUES ($1, $2, 0, $3, $4, $5, $6, $7) ON CONFLICT (lookup) DO NOTHING",
    );
    const FIND: Sql = Sql("SELECT id FROM authorizations WHERE lookup = $1 AND revoked_at IS NULL");
    let values = vec![
        new.id.into(),
        (&new.client_id).into(),
        new.target.scopes.to_string().into(),
        new.target.resources.join(" ").into(),
        lookup.into(),
        now.into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, values).await?;
    let row = tx.optional(FIND, vec![lookup.into()]).await?;
    row.ok_or_else(|| Fault::Internal("a client's authorization vanished".to_owned()))?
        .uuid(0)
}

/// How many uses one statement notes.
pub const USES: usize = 64;

/// Notes that APIs asked about up to [`USES`] of them; those about which none did before.
pub async fn note_uses(tx: &mut Tx, ids: &[Uuid], at: Timestamp) -> Result<Vec<Uuid>, Fault> {
    static NOTE: LazyLock<Sql> = LazyLock::new(|| {
        let numbers: Vec<String> = (2..=USES + 1).map(|n| format!("${n}")).collect();
        Sql(String::leak(format!(
            "UPDATE authorizations SET first_used_at = $1 WHERE first_used_at IS NULL AND id IN ({}) \
             RETURNING id",
            numbers.join(", ")
        )))
    });
    let mut values = vec![at.into()];
    values.extend(ids.iter().take(USES).map(|id| (*id).into()));
    // One statement for any number: what is not named is NULL, which no identifier is.
    values.resize_with(USES + 1, || None::<Uuid>.into());
    let rows = tx.all(*NOTE, values).await?;
    rows.iter().map(|row| row.uuid(0)).collect()
}

/// Revokes one, and with it every token that points to it; false when it was revoked before.
pub async fn revoke(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const REVOKE: Sql =
        Sql("UPDATE authorizations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL");
    let revoked = tx.execute(REVOKE, vec![id.into(), now.into()]).await? == 1;
    if revoked {
        tx.announce(What::Authorization(id), now);
    }
    Ok(revoked)
}

/// What a person agreed to beyond scopes, or claim by claim, in one authorization.
pub struct Agreed {
    /// To which client.
    pub client_id: String,
    /// When.
    pub at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// The claims.
    pub claims: ClaimsRequest,
    /// What was granted beyond scopes (RFC 9396).
    pub details: Details,
}

/// The details of an authorization that stands now, and since when; none when it has none.
pub async fn details_of(
    tx: &mut Tx,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<(Timestamp, Details)>, Fault> {
    const FIND: Sql = Sql("SELECT created_at, details FROM authorizations \
         WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 AND details IS NOT NULL");
    let row = tx.optional(FIND, vec![id.into(), now.into()]).await?;
    row.map(|row| Ok((row.time(0)?, read_details(tx, id, &row, 1)?)))
        .transpose()
}

/// What a person agreed to beyond scopes, newest first.
pub async fn agreed(tx: &mut Tx, user: Uuid, limit: u32) -> Result<Vec<Agreed>, Fault> {
    const AGREED: Sql = Sql(
        "SELECT id, client_id, created_at, expires_at, claims, details FROM authorizations \
         WHERE user_id = $1 AND (claims IS NOT NULL OR details IS NOT NULL) ORDER BY id DESC LIMIT $2",
    );
    let rows = tx.all(AGREED, vec![user.into(), limit.into()]).await?;
    let mut agreed = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.uuid(0)?;
        let claims = match row.opt_bytes(4)? {
            None => ClaimsRequest::default(),
            Some(sealed) => {
                let plain = tx.vault()?.open_cell(claims_cell(&id), &sealed)?;
                serde_json::from_slice(&plain)
                    .map_err(|_| Fault::Unreadable("authorizations.claims".to_owned()))?
            }
        };
        agreed.push(Agreed {
            client_id: row.text(1)?,
            at: row.time(2)?,
            expires_at: row.time(3)?,
            claims,
            details: read_details(tx, id, row, 5)?,
        });
    }
    Ok(agreed)
}

/// Forgets what was asked claim by claim of a person, and with `details` what she agreed to beyond
/// scopes.
pub async fn forget(tx: &mut Tx, user: Uuid, details: bool) -> Result<(), Fault> {
    const CLAIMS: Sql = Sql("UPDATE authorizations SET claims = NULL \
         WHERE user_id = $1 AND (claims IS NOT NULL OR details IS NOT NULL)");
    const BOTH: Sql = Sql("UPDATE authorizations SET claims = NULL, details = NULL \
         WHERE user_id = $1 AND (claims IS NOT NULL OR details IS NOT NULL)");
    let sql = if details { BOTH } else { CLAIMS };
    tx.execute(sql, vec![user.into()]).await.map(drop)
}

/// Reads the columns of [`find`], the first of which is column `at`.
pub(super) fn read(tx: &Tx, row: &Row, at: usize) -> Result<Authorization, Fault> {
    let unreadable = |column: &str| Fault::Unreadable(format!("authorizations.{column}"));
    let person = match row.opt_uuid(at + 3)? {
        None => None,
        Some(user_id) => Some(OnBehalf {
            user_id,
            grant_id: row.uuid(at + 2)?,
            session_id: row.uuid(at + 4)?,
            offline: row.int(at + 5)? != 0,
            acr: row.text(at + 8)?,
            amr: row.text(at + 9)?,
            auth_time: row.time(at + 10)?,
        }),
    };
    let created_at = row.time(at + 13)?;
    let void = row
        .opt_time(at + 14)?
        .is_some_and(|valid_from| created_at <= valid_from);
    let resources = row.text(at + 7)?;
    let mut scopes = Scopes::parse(&row.text(at + 6)?).map_err(|_| unreadable("scopes"))?;
    if let Some(granted) = row.opt_text(at + 16)? {
        // What the person took back of the grant since then is no longer there to give.
        scopes = scopes.intersection(&granted_scopes(&granted)?);
    }
    let id = row.uuid(at)?;
    Ok(Authorization {
        id,
        claims: read_claims(tx, id, row, at + 15)?,
        details: read_details(tx, id, row, at + 18)?,
        client_id: row.text(at + 1)?,
        person,
        target: Target {
            scopes,
            resources: resources
                .split(' ')
                .filter(|uri| !uri.is_empty())
                .map(str::to_owned)
                .collect(),
        },
        created_at,
        expires_at: row.time(at + 11)?,
        revoked: row.opt_time(at + 12)?.is_some() || void,
    })
}
