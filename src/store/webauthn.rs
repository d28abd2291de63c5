//! Passkeys and security keys (Web Authentication Level 3).

use rules::identity::KeyKind;
use rules::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Tx;
use super::sql::{Row, Sql};
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse, PersonKeys};

/// A passkey or security key, as it is bound.
pub struct NewKey<'a> {
    /// Our identifier of it.
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// The authenticator's identifier of it.
    pub credential_id: &'a [u8],
    /// What the authenticator gives back for the person: random, and nothing else.
    pub user_handle: &'a [u8],
    /// What it is good for.
    pub kind: KeyKind,
    /// The public key and what was attested, serialised.
    pub data: &'a [u8],
    /// What she calls it.
    pub name: &'a str,
    /// The model of the authenticator.
    pub aaguid: [u8; 16],
    /// Its counter.
    pub counter: u32,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it is copied.
    pub backup_state: bool,
}

/// A key, found by what an authenticator sent.
pub struct Key {
    /// Our identifier of it.
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// What the authenticator gives back for the person.
    pub user_handle: Vec<u8>,
    /// What it is good for.
    pub kind: KeyKind,
    /// The public key and what was attested, serialised.
    pub data: Zeroizing<Vec<u8>>,
    /// The counter that was seen last.
    pub counter: u32,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it was copied when it was seen last.
    pub backup_state: bool,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// Whether it opens nothing any more.
    pub blocked: bool,
}

/// A key, for its person to see.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Our identifier of it.
    pub id: Uuid,
    /// What it is good for.
    pub kind: KeyKind,
    /// What she calls it.
    pub name: String,
    /// The model of the authenticator.
    pub aaguid: [u8; 16],
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// When it was bound.
    pub created_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// Whether it opens nothing any more.
    pub blocked: bool,
}

/// Binds a key; false when somebody has it already.
pub async fn insert(
    tx: &mut Tx,
    new: &NewKey<'_>,
    keys: &PersonKeys,
    now: Timestamp,
) -> Result<bool, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO webauthn_credentials (id, user_id, credential_key, user_handle, kind, data, \
         name, aaguid, counter, backup_eligible, backup_state, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (credential_key) DO NOTHING",
    );
    let vault = tx.vault()?;
    let data = vault.seal(KeyUse::Columns, cell(&new.id, "data"), new.data)?;
    let name = keys.seal_profile(cell(&new.id, "name"), new.name.as_bytes())?;
    let values = vec![
        new.id.into(),
        new.user_id.into(),
        lookup(tx, new.credential_id)?.into(),
        new.user_handle.into(),
        new.kind.as_str().into(),
        data.into(),
        name.into(),
        new.aaguid.as_slice().into(),
        new.counter.into(),
        new.backup_eligible.into(),
        new.backup_state.into(),
        now.into(),
    ];
    Ok(tx.execute(INSERT, values).await? == 1)
}

/// The key with the identifier that an authenticator sent.
pub async fn find(tx: &mut Tx, credential_id: &[u8]) -> Result<Option<Key>, Fault> {
    const FIND: Sql = Sql(
        "SELECT id, user_id, user_handle, kind, data, counter, backup_eligible, backup_state, \
         used_at, blocked_at FROM webauthn_credentials WHERE credential_key = $1",
    );
    let vault = tx.vault()?;
    let key = lookup(tx, credential_id)?;
    let row = tx.optional(FIND, vec![key.into()]).await?;
    row.map(|row| {
        let id = row.uuid(0)?;
        Ok(Key {
            user_id: row.uuid(1)?,
            user_handle: row.bytes(2)?,
            kind: kind(&row, 3)?,
            data: vault.open_cell(cell(&id, "data"), &row.bytes(4)?)?,
            counter: u32::try_from(row.int(5)?).map_err(|_| unreadable("counter"))?,
            backup_eligible: row.int(6)? != 0,
            backup_state: row.int(7)? != 0,
            used_at: row.opt_time(8)?,
            blocked: row.opt_time(9)?.is_some(),
            id,
        })
    })
    .transpose()
}

/// A person's keys, oldest first.
pub async fn of_user(tx: &mut Tx, user: Uuid, keys: &PersonKeys) -> Result<Vec<Listed>, Fault> {
    const LIST: Sql = Sql(
        "SELECT id, kind, name, aaguid, backup_eligible, created_at, used_at, blocked_at \
         FROM webauthn_credentials WHERE user_id = $1 ORDER BY id",
    );
    let rows = tx.all(LIST, vec![user.into()]).await?;
    rows.iter()
        .map(|row| {
            let id = row.uuid(0)?;
            let name = keys.open_profile(cell(&id, "name"), &row.bytes(2)?)?;
            let aaguid = row.bytes(3)?;
            Ok(Listed {
                kind: kind(row, 1)?,
                name: String::from_utf8_lossy(&name).into_owned(),
                aaguid: aaguid.try_into().map_err(|_| unreadable("aaguid"))?,
                backup_eligible: row.int(4)? != 0,
                created_at: row.time(5)?,
                used_at: row.opt_time(6)?,
                blocked: row.opt_time(7)?.is_some(),
                id,
            })
        })
        .collect()
}

/// What a person's authenticators give back for her, and which keys they have: the identifiers lie
/// in the sealed data.
pub async fn bound(tx: &mut Tx, user: Uuid) -> Result<Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>, Fault> {
    const LIST: Sql = Sql(
        "SELECT id, user_handle, data FROM webauthn_credentials WHERE user_id = $1 ORDER BY id",
    );
    let vault = tx.vault()?;
    let rows = tx.all(LIST, vec![user.into()]).await?;
    rows.iter()
        .map(|row| {
            let id = row.uuid(0)?;
            let data = vault.open_cell(cell(&id, "data"), &row.bytes(2)?)?;
            Ok((row.bytes(1)?, data))
        })
        .collect()
}

/// Notes that a key was used. False when it is blocked, gone, or its counter did not grow: two
/// answers with the same counter never both count.
pub async fn used(
    tx: &mut Tx,
    id: Uuid,
    (counter, backup_state): (u32, bool),
    now: Timestamp,
) -> Result<bool, Fault> {
    const USED: Sql = Sql(
        "UPDATE webauthn_credentials SET counter = $2, backup_state = $3, used_at = $4 \
         WHERE id = $1 AND blocked_at IS NULL AND (counter < $2 OR (counter = 0 AND $2 = 0))",
    );
    let values = vec![id.into(), counter.into(), backup_state.into(), now.into()];
    Ok(tx.execute(USED, values).await? == 1)
}

/// Blocks a key for good; false when it was blocked or is gone.
pub async fn block(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const BLOCK: Sql =
        Sql("UPDATE webauthn_credentials SET blocked_at = $2 WHERE id = $1 AND blocked_at IS NULL");
    Ok(tx.execute(BLOCK, vec![id.into(), now.into()]).await? == 1)
}

/// Blocks a key for good because its person said that it is not hers; false when it was blocked or is
/// gone.
pub async fn dispute(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const DISPUTE: Sql = Sql(
        "UPDATE webauthn_credentials SET blocked_at = $2, disputed_at = $2 \
         WHERE id = $1 AND blocked_at IS NULL",
    );
    Ok(tx.execute(DISPUTE, vec![id.into(), now.into()]).await? == 1)
}

/// Gives a person's key another name; false when it is not hers.
pub async fn rename(
    tx: &mut Tx,
    (id, user): (Uuid, Uuid),
    name: &str,
    keys: &PersonKeys,
) -> Result<bool, Fault> {
    const RENAME: Sql =
        Sql("UPDATE webauthn_credentials SET name = $3 WHERE id = $1 AND user_id = $2");
    let name = keys.seal_profile(cell(&id, "name"), name.as_bytes())?;
    let values = vec![id.into(), user.into(), name.into()];
    Ok(tx.execute(RENAME, values).await? == 1)
}

/// Removes a person's key; false when it is not hers.
pub async fn remove(tx: &mut Tx, id: Uuid, user: Uuid) -> Result<bool, Fault> {
    const REMOVE: Sql = Sql("DELETE FROM webauthn_credentials WHERE id = $1 AND user_id = $2");
    Ok(tx.execute(REMOVE, vec![id.into(), user.into()]).await? == 1)
}

fn lookup(tx: &Tx, credential_id: &[u8]) -> Result<[u8; 32], Fault> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let text = URL_SAFE_NO_PAD.encode(credential_id);
    Ok(tx.vault()?.lookup("webauthn.credential", &text))
}

fn kind(row: &Row, column: usize) -> Result<KeyKind, Fault> {
    KeyKind::parse(&row.text(column)?).ok_or_else(|| unreadable("kind"))
}

fn unreadable(column: &str) -> Fault {
    Fault::Unreadable(format!("webauthn_credentials.{column}"))
}

fn cell<'a>(id: &'a Uuid, column: &'static str) -> Cell<'a> {
    Cell::new("webauthn_credentials", column, id.as_bytes())
}
