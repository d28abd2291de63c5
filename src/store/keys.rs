//! The vault's wrapped keys and the signing keys.

use rules::jose::Alg;
use rules::time::Timestamp;
use zeroize::Zeroizing;

use super::Tx;
use super::feed::What;
use super::sql::Sql;
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse, WrappedKey};

/// Every wrapped key of the vault.
pub async fn wrapped(tx: &mut Tx) -> Result<Vec<WrappedKey>, Fault> {
    const ALL: Sql = Sql("SELECT id, key_use, wrapped, created_at FROM vault_keys ORDER BY id");
    let rows = tx.all(ALL, vec![]).await?;
    rows.iter()
        .map(|row| {
            Ok(WrappedKey {
                id: u32::try_from(row.int(0)?)
                    .map_err(|_| Fault::Unreadable("vault_keys.id".to_owned()))?,
                key_use: row.text(1)?,
                wrapped: row.bytes(2)?,
                created_at: row.time(3)?,
            })
        })
        .collect()
}

/// Stores a wrapped key.
pub async fn insert_wrapped(tx: &mut Tx, key: &WrappedKey) -> Result<(), Fault> {
    const INSERT: Sql =
        Sql("INSERT INTO vault_keys (id, key_use, wrapped, created_at) VALUES ($1, $2, $3, $4)");
    let values = vec![
        key.id.into(),
        (&key.key_use).into(),
        key.wrapped.clone().into(),
        key.created_at.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Where a signing key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, not yet used.
    Next,
    /// Signs.
    Active,
    /// Signs no more; still published, because tokens that it signed are alive.
    Retiring,
    /// No longer published.
    Retired,
}

impl KeyState {
    const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Retiring, Self::Retired];

    /// The name that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// A signing key as stored.
pub struct StoredKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// Its state.
    pub state: KeyState,
    /// PKCS#8, opened.
    pub private_key: Zeroizing<Vec<u8>>,
    /// Its public half, a JWK in JSON.
    pub public_jwk: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// Every signing key, oldest first.
pub async fn signing(tx: &mut Tx) -> Result<Vec<StoredKey>, Fault> {
    const ALL: Sql = Sql(
        "SELECT kid, alg, state, private_key, public_jwk, created_at, changed_at \
         FROM signing_keys ORDER BY created_at, kid",
    );
    let vault = tx.vault()?;
    let rows = tx.all(ALL, vec![]).await?;
    rows.iter()
        .map(|row| {
            let kid = row.text(0)?;
            let private_key = vault.open_cell(cell(&kid), &row.bytes(3)?)?;
            let state = row.text(2)?;
            Ok(StoredKey {
                alg: row
                    .text(1)?
                    .parse()
                    .map_err(|_| Fault::Unreadable("signing_keys.alg".to_owned()))?,
                state: KeyState::ALL
                    .into_iter()
                    .find(|known| known.as_str() == state)
                    .ok_or_else(|| Fault::Unreadable("signing_keys.state".to_owned()))?,
                private_key,
                public_jwk: row.text(4)?,
                created_at: row.time(5)?,
                changed_at: row.time(6)?,
                kid,
            })
        })
        .collect()
}

/// Stores a new signing key.
pub async fn insert_signing(tx: &mut Tx, key: &StoredKey) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO signing_keys (kid, alg, state, private_key, public_jwk, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    // Each algorithm has one active and one next key; the schema refuses a second.
    let sealed = tx
        .vault()?
        .seal(KeyUse::Columns, cell(&key.kid), &key.private_key)?;
    let values = vec![
        (&key.kid).into(),
        key.alg.as_str().into(),
        key.state.as_str().into(),
        sealed.into(),
        (&key.public_jwk).into(),
        key.created_at.into(),
        key.changed_at.into(),
    ];
    tx.execute(INSERT, values).await?;
    tx.announce(What::Keys, key.changed_at);
    Ok(())
}

/// Moves a key from one state to the next; false when it was not in `from`.
pub async fn move_signing(
    tx: &mut Tx,
    kid: &str,
    from: KeyState,
    to: KeyState,
    now: Timestamp,
) -> Result<bool, Fault> {
    const MOVE: Sql =
        Sql("UPDATE signing_keys SET state = $3, changed_at = $4 WHERE kid = $1 AND state = $2");
    let values = vec![
        kid.into(),
        from.as_str().into(),
        to.as_str().into(),
        now.into(),
    ];
    let moved = tx.execute(MOVE, values).await? == 1;
    if moved {
        tx.announce(What::Keys, now);
    }
    Ok(moved)
}

fn cell(kid: &str) -> Cell<'_> {
    Cell::new("signing_keys", "private_key", kid.as_bytes())
}
