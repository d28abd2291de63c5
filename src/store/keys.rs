//! The vault's wrapped keys, the keys that sign and those that clients encrypt to.

use rules::jose::KeyPurpose;
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

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Not yet used: one that will sign is published already, one that clients will encrypt to is known to
    /// every node.
    Next,
    /// Signs; or is published for clients to encrypt to.
    Active,
    /// Signs no more, and is still published, because tokens that it signed are alive; or is no longer
    /// published, and still opens what was encrypted to it.
    Retiring,
    /// No longer published; one that was encrypted to is deleted instead.
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

/// A key as stored.
pub struct StoredKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs or decrypts with.
    pub alg: KeyPurpose,
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

/// Every key that signs or decrypts; of either kind the oldest first.
pub async fn every(tx: &mut Tx) -> Result<Vec<StoredKey>, Fault> {
    const SIGNING: Sql = Sql(
        "SELECT kid, alg, state, private_key, public_jwk, created_at, changed_at \
         FROM signing_keys ORDER BY created_at, kid",
    );
    const ENCRYPTION: Sql = Sql(
        "SELECT kid, alg, state, private_key, public_jwk, created_at, changed_at \
         FROM encryption_keys ORDER BY created_at, kid",
    );
    let vault = tx.vault()?;
    let mut keys = Vec::new();
    for (table, all) in [(SIGNING_KEYS, SIGNING), (ENCRYPTION_KEYS, ENCRYPTION)] {
        for row in &tx.all(all, vec![]).await? {
            let unreadable = |what: &str| Fault::Unreadable(format!("{table}.{what}"));
            let (kid, state) = (row.text(0)?, row.text(2)?);
            let alg: KeyPurpose = row.text(1)?.parse().map_err(|_| unreadable("alg"))?;
            if self::table(alg) != table {
                return Err(unreadable("alg"));
            }
            keys.push(StoredKey {
                alg,
                state: KeyState::ALL
                    .into_iter()
                    .find(|known| known.as_str() == state)
                    .ok_or_else(|| unreadable("state"))?,
                private_key: vault.open_cell(cell(alg, &kid), &row.bytes(3)?)?,
                public_jwk: row.text(4)?,
                created_at: row.time(5)?,
                changed_at: row.time(6)?,
                kid,
            });
        }
    }
    Ok(keys)
}

/// Stores a new key.
pub async fn insert(tx: &mut Tx, key: &StoredKey) -> Result<(), Fault> {
    const SIGNING: Sql = Sql(
        "INSERT INTO signing_keys (kid, alg, state, private_key, public_jwk, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    const ENCRYPTION: Sql = Sql(
        "INSERT INTO encryption_keys (kid, alg, state, private_key, public_jwk, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    // Each algorithm has one active and one next key; the schema refuses a second.
    let sealed = tx
        .vault()?
        .seal(KeyUse::Columns, cell(key.alg, &key.kid), &key.private_key)?;
    let values = vec![
        (&key.kid).into(),
        key.alg.as_str().into(),
        key.state.as_str().into(),
        sealed.into(),
        (&key.public_jwk).into(),
        key.created_at.into(),
        key.changed_at.into(),
    ];
    tx.execute(of(key.alg, SIGNING, ENCRYPTION), values).await?;
    tx.announce(What::Keys, key.changed_at);
    Ok(())
}

/// Moves a key from one state to the next; false when it was not in `from`.
pub async fn advance(
    tx: &mut Tx,
    (alg, kid): (KeyPurpose, &str),
    from: KeyState,
    to: KeyState,
    now: Timestamp,
) -> Result<bool, Fault> {
    const SIGNING: Sql =
        Sql("UPDATE signing_keys SET state = $3, changed_at = $4 WHERE kid = $1 AND state = $2");
    const ENCRYPTION: Sql =
        Sql("UPDATE encryption_keys SET state = $3, changed_at = $4 WHERE kid = $1 AND state = $2");
    let values = vec![
        kid.into(),
        from.as_str().into(),
        to.as_str().into(),
        now.into(),
    ];
    let moved = tx.execute(of(alg, SIGNING, ENCRYPTION), values).await? == 1;
    if moved {
        tx.announce(What::Keys, now);
    }
    Ok(moved)
}

/// Withdraws a key for good; false when it was not retiring. One that was encrypted to is deleted, so
/// that nobody opens what was sent once.
pub async fn withdraw(
    tx: &mut Tx,
    (alg, kid): (KeyPurpose, &str),
    now: Timestamp,
) -> Result<bool, Fault> {
    const DELETE: Sql = Sql("DELETE FROM encryption_keys WHERE kid = $1 AND state = 'retiring'");
    let (from, to) = (KeyState::Retiring, KeyState::Retired);
    if let KeyPurpose::Sign(_) = alg {
        return advance(tx, (alg, kid), from, to, now).await;
    }
    let gone = tx.execute(DELETE, vec![kid.into()]).await? == 1;
    if gone {
        tx.announce(What::Keys, now);
    }
    Ok(gone)
}

const SIGNING_KEYS: &str = "signing_keys";
const ENCRYPTION_KEYS: &str = "encryption_keys";

const fn of<T: Copy>(alg: KeyPurpose, signing: T, encryption: T) -> T {
    match alg {
        KeyPurpose::Sign(_) => signing,
        KeyPurpose::Decrypt(_) => encryption,
    }
}

const fn table(alg: KeyPurpose) -> &'static str {
    of(alg, SIGNING_KEYS, ENCRYPTION_KEYS)
}

fn cell(alg: KeyPurpose, kid: &str) -> Cell<'_> {
    Cell::new(table(alg), "private_key", kid.as_bytes())
}
