//! Second factors: authenticator apps (TOTP, RFC 6238) and recovery codes.

use std::time::Duration;

use rules::identity::{Acr, Policy};
use rules::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// A person's authenticator app.
pub struct Totp {
    /// The shared secret, opened.
    pub secret: Zeroizing<Vec<u8>>,
    /// The last time step that was accepted.
    pub last_step: i64,
    /// The secret's envelope: which app this is.
    envelope: Vec<u8>,
}

/// A code of an app: its time step, and of which app.
pub struct Step {
    /// The time step.
    pub step: i64,
    envelope: Vec<u8>,
}

impl Totp {
    /// A code of this app.
    #[must_use]
    pub fn step(&self, step: i64) -> Step {
        Step {
            step,
            envelope: self.envelope.clone(),
        }
    }
}

/// The person's authenticator app.
pub async fn totp(tx: &mut Tx, user: Uuid) -> Result<Option<Totp>, Fault> {
    const FIND: Sql = Sql("SELECT secret, last_step FROM totp_factors WHERE user_id = $1");
    let vault = tx.vault()?;
    let row = tx.optional(FIND, vec![user.into()]).await?;
    row.map(|row| {
        let envelope = row.bytes(0)?;
        Ok(Totp {
            secret: vault.open_cell(secret_cell(&user), &envelope)?,
            last_step: row.int(1)?,
            envelope,
        })
    })
    .transpose()
}

/// Binds an authenticator app; `step` is the one its test code matched, and is spent.
pub async fn bind_totp(
    tx: &mut Tx,
    user: Uuid,
    secret: &[u8],
    step: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO totp_factors (user_id, secret, last_step, created_at) VALUES ($1, $2, $3, $4)",
    );
    let sealed = tx
        .vault()?
        .seal(KeyUse::Columns, secret_cell(&user), secret)?;
    let values = vec![user.into(), sealed.into(), step.into(), now.into()];
    tx.execute(INSERT, values).await.map(drop)
}

/// Binds another authenticator app in the place of the one she has, if she has one.
pub async fn replace_totp(
    tx: &mut Tx,
    user: Uuid,
    secret: &[u8],
    step: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    const CLEAR: Sql = Sql("DELETE FROM totp_factors WHERE user_id = $1");
    tx.execute(CLEAR, vec![user.into()]).await?;
    bind_totp(tx, user, secret, step, now).await
}

/// Spends a time step; false when it, or a later one, was spent before (RFC 6238 §5.2), or the person has
/// another app by now.
pub async fn consume_step(
    tx: &mut Tx,
    user: Uuid,
    code: &Step,
    now: Timestamp,
) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql("UPDATE totp_factors SET last_step = $2, used_at = $3 \
         WHERE user_id = $1 AND last_step < $2 AND secret = $4");
    let values = vec![
        user.into(),
        code.step.into(),
        now.into(),
        code.envelope.as_slice().into(),
    ];
    Ok(tx.execute(CONSUME, values).await? == 1)
}

/// Unbinds every factor of a person, and what she linked; a new activation binds others.
pub async fn unbind_all(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    const TOTP: Sql = Sql("DELETE FROM totp_factors WHERE user_id = $1");
    const SET: Sql = Sql("DELETE FROM recovery_sets WHERE user_id = $1");
    const CODES: Sql = Sql("DELETE FROM recovery_codes WHERE user_id = $1");
    const KEYS: Sql = Sql("DELETE FROM webauthn_credentials WHERE user_id = $1");
    const LINKS: Sql = Sql("DELETE FROM upstream_links WHERE user_id = $1");
    for sql in [TOTP, SET, CODES, KEYS, LINKS] {
        tx.execute(sql, vec![user.into()]).await?;
    }
    Ok(())
}

/// Whether this is the hash of a recovery code of hers that was not used.
pub async fn knows_recovery(tx: &mut Tx, user: Uuid, hash: &[u8]) -> Result<bool, Fault> {
    const FIND: Sql = Sql("SELECT 1 FROM recovery_codes \
         WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL");
    let row = tx.optional(FIND, vec![user.into(), hash.into()]).await?;
    Ok(row.is_some())
}

/// How many strong factors of a person open something: passkeys that were not blocked and, as long
/// as there is a password beside them, an authenticator app and security keys. Recovery codes are
/// none.
pub async fn count_strong_open(tx: &mut Tx, user: Uuid) -> Result<i64, Fault> {
    const PASSWORD: Sql = Sql("SELECT 1 FROM users WHERE id = $1 AND password IS NOT NULL");
    const PASSKEYS: Sql = Sql("SELECT COUNT(*) FROM webauthn_credentials \
         WHERE user_id = $1 AND kind = 'passkey' AND blocked_at IS NULL");
    if tx.optional(PASSWORD, vec![user.into()]).await?.is_some() {
        return count_strong(tx, user).await;
    }
    let row = tx.optional(PASSKEYS, vec![user.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// How many strong factors a person has: an authenticator app, and every passkey or security key that
/// was not blocked. Recovery codes are none.
pub async fn count_strong(tx: &mut Tx, user: Uuid) -> Result<i64, Fault> {
    const APPS: Sql = Sql("SELECT COUNT(*) FROM totp_factors WHERE user_id = $1");
    const KEYS: Sql =
        Sql("SELECT COUNT(*) FROM webauthn_credentials WHERE user_id = $1 AND blocked_at IS NULL");
    let mut count = 0;
    for sql in [APPS, KEYS] {
        if let Some(row) = tx.optional(sql, vec![user.into()]).await? {
            count += row.int(0)?;
        }
    }
    Ok(count)
}

/// How long a key that its person disputed still says how strong a proof of hers must be.
const OF_LATE: Duration = Duration::from_hours(7 * 24);

/// The strongest class that a person can reach by signing in; none when she has no strong factor.
pub async fn reach(tx: &mut Tx, user: Uuid, policy: Policy) -> Result<Option<Acr>, Fault> {
    within(tx, user, policy, Timestamp::from_millis(i64::MAX)).await
}

/// The strongest class that she can reach, or could by keys that were disputed within the last week:
/// disputing asks for no proof, so it must not make a weaker one enough.
pub async fn reach_of_late(
    tx: &mut Tx,
    user: Uuid,
    policy: Policy,
    now: Timestamp,
) -> Result<Option<Acr>, Fault> {
    within(tx, user, policy, now.minus(OF_LATE)).await
}

/// The same with keys that were disputed after a moment.
async fn within(
    tx: &mut Tx,
    user: Uuid,
    policy: Policy,
    disputed_after: Timestamp,
) -> Result<Option<Acr>, Fault> {
    const APP: Sql = Sql("SELECT COUNT(*) FROM totp_factors WHERE user_id = $1");
    const KEYS: Sql = Sql("SELECT MIN(backup_eligible) FROM webauthn_credentials \
         WHERE user_id = $1 AND (blocked_at IS NULL OR disputed_at > $2)");
    let apps = tx.optional(APP, vec![user.into()]).await?;
    let apps = apps.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    let keys = tx
        .optional(KEYS, vec![user.into(), disputed_after.into()])
        .await?;
    let synced = keys.map(|row| row.opt_int(0)).transpose()?.flatten();
    let by_key = synced.map(|synced| match synced {
        0 => Acr::PhishingResistant,
        _ => policy.synced,
    });
    Ok(by_key.or((apps > 0).then_some(Acr::TwoFactor)))
}

/// A set of recovery codes as it is kept.
pub struct HashedSet {
    /// Its salt.
    pub salt: Vec<u8>,
    /// The Argon2id hash of each code.
    pub hashes: Vec<Vec<u8>>,
}

/// Replaces the person's recovery codes by a new set.
pub async fn replace_recovery(
    tx: &mut Tx,
    user: Uuid,
    set: &HashedSet,
    now: Timestamp,
) -> Result<(), Fault> {
    const SALT: Sql = Sql(
        "INSERT INTO recovery_sets (user_id, salt, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id) DO UPDATE SET salt = excluded.salt, created_at = excluded.created_at",
    );
    const CLEAR: Sql = Sql("DELETE FROM recovery_codes WHERE user_id = $1");
    const INSERT: Sql = Sql("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)");
    tx.execute(
        SALT,
        vec![user.into(), set.salt.as_slice().into(), now.into()],
    )
    .await?;
    tx.execute(CLEAR, vec![user.into()]).await?;
    for hash in &set.hashes {
        tx.execute(INSERT, vec![user.into(), hash.clone().into()])
            .await?;
    }
    Ok(())
}

/// The salt of the person's set of recovery codes.
pub async fn recovery_salt(tx: &mut Tx, user: Uuid) -> Result<Option<Vec<u8>>, Fault> {
    const SALT: Sql = Sql("SELECT salt FROM recovery_sets WHERE user_id = $1");
    let row = tx.optional(SALT, vec![user.into()]).await?;
    row.map(|row| row.bytes(0)).transpose()
}

/// Spends a recovery code; false when it is none of the person's, or spent.
pub async fn consume_recovery(
    tx: &mut Tx,
    user: Uuid,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql("UPDATE recovery_codes SET used_at = $3 \
         WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL");
    Ok(tx
        .execute(CONSUME, vec![user.into(), hash.into(), now.into()])
        .await?
        == 1)
}

/// What is known of a person's second factors, for her to see.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// When her authenticator app was bound, and when it was last used.
    pub app: Option<(Timestamp, Option<Timestamp>)>,
    /// How many recovery codes are left, and when the set was made.
    pub recovery: Option<(i64, Timestamp)>,
}

/// What is known of a person's second factors.
pub async fn kept(tx: &mut Tx, user: Uuid) -> Result<Kept, Fault> {
    const APP: Sql = Sql("SELECT created_at, used_at FROM totp_factors WHERE user_id = $1");
    const SET: Sql = Sql("SELECT created_at FROM recovery_sets WHERE user_id = $1");
    let app = tx.optional(APP, vec![user.into()]).await?;
    let set = tx.optional(SET, vec![user.into()]).await?;
    let left = recovery_left(tx, user).await?;
    Ok(Kept {
        app: app
            .map(|row| Ok::<_, Fault>((row.time(0)?, row.opt_time(1)?)))
            .transpose()?,
        recovery: set
            .map(|row| Ok::<_, Fault>((left, row.time(0)?)))
            .transpose()?,
    })
}

/// How many recovery codes are left.
async fn recovery_left(tx: &mut Tx, user: Uuid) -> Result<i64, Fault> {
    const LEFT: Sql =
        Sql("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL");
    match tx.optional(LEFT, vec![user.into()]).await? {
        Some(row) => row.int(0),
        None => Ok(0),
    }
}

fn secret_cell(user: &Uuid) -> Cell<'_> {
    Cell::new("totp_factors", "secret", user.as_bytes())
}
