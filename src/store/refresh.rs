//! Families of refresh tokens.

use rules::protocol::Confirmation;
use rules::protocol::refresh::Family;
use rules::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Tx;
use super::authorizations::{self, Authorization};
use super::sql::Sql;
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// A family with all that decides about it, read by one statement.
pub struct Standing {
    /// The family.
    pub family: Family,
    /// The key of its tokens' HMAC, opened.
    pub secret: Zeroizing<Vec<u8>>,
    /// What it belongs to.
    pub authorization: Authorization,
    /// Whether the account stands, and the session, when the authorization ends with it.
    pub stands: bool,
}

/// Stores a new family.
pub async fn insert(
    tx: &mut Tx,
    id: Uuid,
    authorization: Uuid,
    family: &Family,
    secret: &[u8],
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO refresh_families (id, authorization_id, secret, rotates, generation, expires_at, \
         confirmation) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    let sealed = tx.vault()?.seal(KeyUse::Columns, cell(&id), secret)?;
    let values = vec![
        id.into(),
        authorization.into(),
        sealed.into(),
        family.rotates.into(),
        family.generation.into(),
        family.expires_at.into(),
        family
            .confirmation
            .map(|bound| bound.cnf().to_string())
            .into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Looks a family up.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Standing>, Fault> {
    const FIND: Sql = Sql(
        "SELECT f.secret, f.rotates, f.generation, f.rotated_at, f.expires_at, \
         a.id, a.client_id, a.grant_id, a.user_id, a.session_id, a.offline, a.scopes, a.resources, \
         a.acr, a.amr, a.auth_time, a.expires_at, COALESCE(a.revoked_at, g.revoked_at), \
         a.created_at, u.valid_from, a.claims, g.scopes, g.claims, a.details, u.state, \
         s.ended_at, f.confirmation \
         FROM refresh_families f JOIN authorizations a ON a.id = f.authorization_id \
         JOIN grants g ON g.id = a.grant_id JOIN users u ON u.id = a.user_id \
         LEFT JOIN sessions s ON s.id = a.session_id WHERE f.id = $1",
    );
    let vault = tx.vault()?;
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.map(|row| {
        let authorization = authorizations::read(tx, &row, 5)?;
        let offline = authorization.person.as_ref().is_some_and(|p| p.offline);
        let session_stands = offline || row.opt_time(25)?.is_none();
        let stands = row.text(24)? == "active" && session_stands;
        Ok(Standing {
            family: Family {
                rotates: row.int(1)? != 0,
                generation: row.int(2)?,
                rotated_at: row.opt_time(3)?,
                expires_at: row.time(4)?,
                confirmation: row.opt_text(26)?.map(|text| bound_to(&text)).transpose()?,
            },
            secret: vault.open_cell(cell(&id), &row.bytes(0)?)?,
            authorization,
            stands,
        })
    })
    .transpose()
}

/// What is not understood is no reason to take the family for one that is not bound.
fn bound_to(text: &str) -> Result<Confirmation, Fault> {
    let cnf = serde_json::from_str(text).ok();
    cnf.and_then(|cnf| Confirmation::from_cnf(&cnf))
        .ok_or_else(|| Fault::Unreadable("refresh_families.confirmation".to_owned()))
}

/// Moves a family on from `generation`; false when that is no longer the current one.
pub async fn rotate(tx: &mut Tx, id: Uuid, generation: i64, now: Timestamp) -> Result<bool, Fault> {
    const ROTATE: Sql = Sql(
        "UPDATE refresh_families SET generation = generation + 1, rotated_at = $3 \
         WHERE id = $1 AND generation = $2",
    );
    Ok(tx
        .execute(ROTATE, vec![id.into(), generation.into(), now.into()])
        .await?
        == 1)
}

fn cell(id: &Uuid) -> Cell<'_> {
    Cell::new("refresh_families", "secret", id.as_bytes())
}
