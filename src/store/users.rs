//! People. Who they are lies under their own key; they are found by a keyed hash of their name.

use std::time::Duration;

use rules::identity::Username;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Tx;
use super::feed::{EPOCH_MARGIN, What};
use super::sql::{Row, Sql};
use crate::fault::Fault;
use crate::secret::Secret;
use crate::vault::{Cell, KeyUse, PersonKeys};

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// Invited; nobody can sign in.
    Invited,
    /// Usable.
    Active,
    /// Stopped by the institution.
    Disabled,
}

impl UserState {
    /// The name that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    fn read(name: &str) -> Result<Self, Fault> {
        [Self::Invited, Self::Active, Self::Disabled]
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| Fault::Unreadable("users.state".to_owned()))
    }
}

/// Who a person is.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Profile {
    /// What she signs in with, canonical.
    pub username: String,
    /// Standard claims (OpenID Connect Core §5.1).
    pub claims: Map<String, Value>,
    /// The addresses that she was written to until lately, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerAddress>,
}

/// An e-mail address that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerAddress {
    /// The address.
    pub address: String,
    /// When it was replaced.
    pub until: Timestamp,
}

/// How long a replaced address is still told of what lets somebody in.
const FORMER: Duration = Duration::from_hours(30 * 24);
/// How many replaced addresses are kept.
const FORMER_AT_MOST: usize = 5;

impl Profile {
    /// What to call her.
    #[must_use]
    pub fn display_name(&self) -> &str {
        let name = self.claims.get("name").and_then(Value::as_str);
        name.unwrap_or(&self.username)
    }

    /// Where she is written to.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        let address = self.claims.get("email").and_then(Value::as_str);
        address.filter(|address| !address.is_empty())
    }

    /// Her address, when nobody showed yet that she reads what is sent there.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&str> {
        let verified = self.claims.get(VERIFIED) == Some(&Value::Bool(true));
        self.address().filter(|_| !verified)
    }

    /// She reads what is sent to her address.
    pub fn confirm(&mut self, now: Timestamp) {
        self.claims.insert(VERIFIED.to_owned(), true.into());
        self.updated(now);
    }

    /// Nobody knows whether she reads what is sent to her address; false when that was so before.
    pub fn unconfirm(&mut self) -> bool {
        match self.claims.get_mut(VERIFIED) {
            Some(verified) if *verified == Value::Bool(true) => {
                *verified = Value::Bool(false);
                true
            }
            _ => false,
        }
    }

    /// What is told of her changed now (OpenID Connect Core §5.1, `updated_at`).
    pub fn updated(&mut self, now: Timestamp) {
        let updated_at = String::from("updated_at");
        self.claims.insert(updated_at, now.secs().into());
    }

    /// The addresses that were replaced within the last 30 days.
    pub fn lately(&self, now: Timestamp) -> impl Iterator<Item = &FormerAddress> {
        let since = now.minus(FORMER);
        self.former.iter().filter(move |one| one.until > since)
    }

    /// Keeps an address that is replaced now; older ones are forgotten.
    pub fn replaced(&mut self, address: String, now: Timestamp) {
        let mut kept: Vec<_> = self.lately(now).cloned().collect();
        kept.push(FormerAddress {
            address,
            until: now,
        });
        let from = kept.len().saturating_sub(FORMER_AT_MOST);
        self.former = kept.split_off(from);
    }
}

/// A person's account.
pub struct User {
    /// Never given to anybody else.
    pub id: Uuid,
    /// Its state.
    pub state: UserState,
    /// Who she is.
    pub profile: Profile,
    /// The Argon2id hash (PHC string); none before activation, and after the password was ended.
    pub password: Option<Secret>,
    /// Her own keys.
    pub keys: PersonKeys,
    /// What began at or before this moment is void.
    pub valid_from: Timestamp,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When she asked to close her access.
    pub close_asked_at: Option<Timestamp>,
    /// When the institution closed it.
    pub closed_at: Option<Timestamp>,
    /// The password's envelope: which password this is.
    envelope: Option<Vec<u8>>,
}

/// OpenID Connect Core §5.1: whether her `email` is known to be hers.
const VERIFIED: &str = "email_verified";
const NAME_DOMAIN: &str = "users.name";

/// Makes an invited account; false when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    id: Uuid,
    profile: &Profile,
    now: Timestamp,
) -> Result<bool, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO users (id, name_key, state, profile, valid_from, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, 0, $5, $5) ON CONFLICT (name_key) DO NOTHING",
    );
    const KEYS: Sql =
        Sql("INSERT INTO person_keys (user_id, profile, activity) VALUES ($1, $2, $3)");
    let vault = tx.vault()?;
    let wrapped = vault.new_person_keys(id)?;
    let plain = serde_json::to_vec(profile).map_err(|error| Fault::Internal(error.to_string()))?;
    let sealed = vault
        .person_keys(id, &wrapped)?
        .seal_profile(profile_cell(&id), &plain)?;
    let values = vec![
        id.into(),
        vault.lookup(NAME_DOMAIN, &profile.username).into(),
        UserState::Invited.as_str().into(),
        sealed.into(),
        now.into(),
    ];
    if tx.execute(INSERT, values).await? == 0 {
        return Ok(false);
    }
    let values = vec![id.into(), wrapped.profile.into(), wrapped.activity.into()];
    tx.execute(KEYS, values).await?;
    Ok(true)
}

/// The person with this name.
pub async fn find_by_name(tx: &mut Tx, name: &Username) -> Result<Option<User>, Fault> {
    const FIND: Sql = Sql(
        "SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from, \
         u.close_asked_at, u.closed_at \
         FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.name_key = $1",
    );
    let key = tx.vault()?.lookup(NAME_DOMAIN, name.as_str());
    let row = tx.optional(FIND, vec![key.into()]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// The person with this id.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<User>, Fault> {
    const FIND: Sql = Sql(
        "SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from, \
         u.close_asked_at, u.closed_at \
         FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.id = $1",
    );
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// A page of people, by the time their accounts were made, after `after`.
pub async fn page(tx: &mut Tx, after: Option<Uuid>, limit: u32) -> Result<Vec<User>, Fault> {
    const PAGE: Sql = Sql(
        "SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from, \
         u.close_asked_at, u.closed_at \
         FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.id > $1 ORDER BY u.id LIMIT $2",
    );
    let after = after.unwrap_or(Uuid::nil());
    let rows = tx.all(PAGE, vec![after.into(), limit.into()]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Whether an account may be used; the one question that issuing asks of it.
pub async fn is_active(tx: &mut Tx, id: Uuid) -> Result<bool, Fault> {
    const STATE: Sql = Sql("SELECT state FROM users WHERE id = $1");
    match tx.optional(STATE, vec![id.into()]).await? {
        Some(row) => Ok(UserState::read(&row.text(0)?)? == UserState::Active),
        None => Ok(false),
    }
}

/// Whether a person ever activated her account: an invitation alone must never open it again. Nothing of
/// this is forgotten as long as the account is there.
pub async fn was_activated(tx: &mut Tx, id: Uuid) -> Result<bool, Fault> {
    const WAS: Sql = Sql(
        "SELECT 1 FROM users WHERE id = $1 AND (password IS NOT NULL \
         OR EXISTS (SELECT 1 FROM totp_factors WHERE user_id = $1) \
         OR EXISTS (SELECT 1 FROM webauthn_credentials WHERE user_id = $1) \
         OR EXISTS (SELECT 1 FROM recovery_sets WHERE user_id = $1) \
         OR EXISTS (SELECT 1 FROM audit_events WHERE subject = $1 \
         AND kind NOT IN ('token.issued', 'token.refreshed') AND kind = 'user.activated'))",
    );
    Ok(tx.optional(WAS, vec![id.into()]).await?.is_some())
}

/// Of what somebody is told at most once a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daily {
    /// That somebody guesses at her sign-in.
    SignIn,
    /// That somebody guesses in the midst of her account.
    Change,
}

/// Notes that a person is told of this now; false when she was within the last day, or is nobody.
pub async fn tell_daily(tx: &mut Tx, id: Uuid, what: Daily, now: Timestamp) -> Result<bool, Fault> {
    const SIGN_IN: Sql = Sql("UPDATE users SET sign_in_told_at = $2 \
         WHERE id = $1 AND (sign_in_told_at IS NULL OR sign_in_told_at <= $3)");
    const CHANGE: Sql = Sql("UPDATE users SET change_told_at = $2 \
         WHERE id = $1 AND (change_told_at IS NULL OR change_told_at <= $3)");
    let sql = match what {
        Daily::SignIn => SIGN_IN,
        Daily::Change => CHANGE,
    };
    let before = now.minus(Duration::from_hours(24));
    let values = vec![id.into(), now.into(), before.into()];
    Ok(tx.execute(sql, values).await? == 1)
}

/// How many accounts are usable.
pub async fn count_active(tx: &mut Tx) -> Result<u64, Fault> {
    const COUNT: Sql = Sql("SELECT COUNT(*) FROM users WHERE state = 'active'");
    match tx.optional(COUNT, vec![]).await? {
        Some(row) => Ok(u64::try_from(row.int(0)?).unwrap_or(0)),
        None => Ok(0),
    }
}

/// Makes an invited account usable, with its first password; false when it was not invited.
pub async fn activate(
    tx: &mut Tx,
    id: Uuid,
    password: &Secret,
    now: Timestamp,
) -> Result<bool, Fault> {
    const ACTIVATE: Sql = Sql(
        "UPDATE users SET state = 'active', password = $2, changed_at = $3 \
         WHERE id = $1 AND state = 'invited'",
    );
    let sealed = tx.vault()?.seal(
        KeyUse::Columns,
        password_cell(&id),
        password.expose().as_bytes(),
    )?;
    Ok(tx
        .execute(ACTIVATE, vec![id.into(), sealed.into(), now.into()])
        .await?
        == 1)
}

/// Makes sure that an account stays usable, with the password it was loaded with, until this
/// transaction ends; false when it is not so any more.
pub async fn hold(tx: &mut Tx, user: &User) -> Result<bool, Fault> {
    const HOLD: Sql =
        Sql("UPDATE users SET state = state WHERE id = $1 AND state = 'active' AND password = $2");
    let values = vec![user.id.into(), user.envelope.clone().into()];
    Ok(tx.execute(HOLD, values).await? == 1)
}

/// Gives an account that is held ([`hold`]) another password.
pub async fn change_password(
    tx: &mut Tx,
    id: Uuid,
    password: &Secret,
    now: Timestamp,
) -> Result<(), Fault> {
    const CHANGE: Sql = Sql("UPDATE users SET password = $2, changed_at = $3 WHERE id = $1");
    let sealed = tx.vault()?.seal(
        KeyUse::Columns,
        password_cell(&id),
        password.expose().as_bytes(),
    )?;
    tx.execute(CHANGE, vec![id.into(), sealed.into(), now.into()])
        .await
        .map(drop)
}

/// Makes sure that an account, whatever its state, is changed by nobody else until this transaction
/// ends; false when there is none.
pub async fn keep(tx: &mut Tx, id: Uuid) -> Result<bool, Fault> {
    const KEEP: Sql = Sql("UPDATE users SET state = state WHERE id = $1");
    Ok(tx.execute(KEEP, vec![id.into()]).await? == 1)
}

/// Writes who somebody is anew; the account is kept ([`keep`]), and the name stays.
pub async fn change_profile(tx: &mut Tx, user: &User, now: Timestamp) -> Result<(), Fault> {
    const CHANGE: Sql = Sql("UPDATE users SET profile = $2, changed_at = $3 WHERE id = $1");
    let plain =
        serde_json::to_vec(&user.profile).map_err(|error| Fault::Internal(error.to_string()))?;
    let sealed = user.keys.seal_profile(profile_cell(&user.id), &plain)?;
    let values = vec![user.id.into(), sealed.into(), now.into()];
    tx.execute(CHANGE, values).await.map(drop)
}

/// Makes sure that an account stays usable until this transaction ends; false when it is not.
pub async fn lock(tx: &mut Tx, id: Uuid) -> Result<bool, Fault> {
    const LOCK: Sql = Sql("UPDATE users SET state = state WHERE id = $1 AND state = 'active'");
    Ok(tx.execute(LOCK, vec![id.into()]).await? == 1)
}

/// Makes everything void that was issued for a person until now.
pub async fn void(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Fault> {
    const VOID: Sql = Sql("UPDATE users SET changed_at = $2, \
         valid_from = CASE WHEN valid_from > $3 THEN valid_from ELSE $3 END \
         WHERE id = $1");
    let epoch = now.plus(EPOCH_MARGIN);
    let values = vec![id.into(), now.into(), epoch.into()];
    tx.execute(VOID, values).await?;
    tx.announce(What::UserEpoch(id), epoch);
    Ok(())
}

/// Stops an account, whatever state it was in; false when it was stopped already. Everything that
/// was issued for the person is void for good.
pub async fn disable(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const DISABLE: Sql = Sql(
        "UPDATE users SET state = 'disabled', valid_from = $3, changed_at = $2 \
         WHERE id = $1 AND state <> 'disabled'",
    );
    let epoch = now.plus(EPOCH_MARGIN);
    let values = vec![id.into(), now.into(), epoch.into()];
    let disabled = tx.execute(DISABLE, values).await? == 1;
    if disabled {
        tx.announce(What::UserEpoch(id), epoch);
    }
    Ok(disabled)
}

/// Moves an account from one state to another; false when it was not in `from`.
pub async fn change_state(
    tx: &mut Tx,
    id: Uuid,
    from: UserState,
    to: UserState,
    now: Timestamp,
) -> Result<bool, Fault> {
    const CHANGE: Sql = Sql("UPDATE users SET state = $3, changed_at = $4 \
         WHERE id = $1 AND state = $2 AND closed_at IS NULL");
    let values = vec![
        id.into(),
        from.as_str().into(),
        to.as_str().into(),
        now.into(),
    ];
    Ok(tx.execute(CHANGE, values).await? == 1)
}

/// Ends the password for good: too many failures in a row (NIST SP 800-63B-4 §3.2.2). False when it
/// is another one by now.
pub async fn end_password(tx: &mut Tx, user: &User, now: Timestamp) -> Result<bool, Fault> {
    const END: Sql =
        Sql("UPDATE users SET password = NULL, changed_at = $2 WHERE id = $1 AND password = $3");
    let values = vec![user.id.into(), now.into(), user.envelope.clone().into()];
    Ok(tx.execute(END, values).await? == 1)
}

/// Gives an account that was set up before another password, lets it be used if it was disabled, and makes
/// void everything that was issued for the person until now, her wish to close it too; false when it is only
/// invited, or closed.
pub async fn rebind(
    tx: &mut Tx,
    id: Uuid,
    password: &Secret,
    now: Timestamp,
) -> Result<bool, Fault> {
    const REBIND: Sql = Sql(
        "UPDATE users SET state = 'active', password = $2, valid_from = $3, changed_at = $4, \
         close_asked_at = NULL \
         WHERE id = $1 AND state IN ('active', 'disabled') AND closed_at IS NULL",
    );
    let sealed = tx.vault()?.seal(
        KeyUse::Columns,
        password_cell(&id),
        password.expose().as_bytes(),
    )?;
    let epoch = now.plus(EPOCH_MARGIN);
    let values = vec![id.into(), sealed.into(), epoch.into(), now.into()];
    let bound = tx.execute(REBIND, values).await? == 1;
    if bound {
        tx.announce(What::UserEpoch(id), epoch);
    }
    Ok(bound)
}

/// Writes down that a person asks to close her access, or that she takes it back; false when it was so
/// before.
pub async fn ask_to_close(
    tx: &mut Tx,
    id: Uuid,
    asked_at: Option<Timestamp>,
) -> Result<bool, Fault> {
    const ASK: Sql =
        Sql("UPDATE users SET close_asked_at = $2 WHERE id = $1 AND close_asked_at IS NULL");
    const TAKE_BACK: Sql =
        Sql("UPDATE users SET close_asked_at = NULL WHERE id = $1 AND close_asked_at IS NOT NULL");
    let changed = match asked_at {
        Some(at) => tx.execute(ASK, vec![id.into(), at.into()]).await?,
        None => tx.execute(TAKE_BACK, vec![id.into()]).await?,
    };
    Ok(changed == 1)
}

/// Closes an account for good; false when it was. Who she was is overwritten and its key destroyed, and
/// with `keeps_activity` not set the key of what she did, too. Her name is free again.
pub async fn close(
    tx: &mut Tx,
    id: Uuid,
    keeps_activity: bool,
    now: Timestamp,
) -> Result<bool, Fault> {
    const FIND: Sql = Sql("SELECT activity FROM person_keys WHERE user_id = $1");
    const CLOSE: Sql = Sql(
        "UPDATE users SET state = 'disabled', name_key = $2, profile = $3, password = NULL, \
         valid_from = $4, changed_at = $5, closed_at = $5 WHERE id = $1 AND closed_at IS NULL",
    );
    const KEYS: Sql = Sql("UPDATE person_keys SET profile = $2, activity = $3 WHERE user_id = $1");
    let vault = tx.vault()?;
    let Some(row) = tx.optional(FIND, vec![id.into()]).await? else {
        return Ok(false);
    };
    let mut wrapped = vault.new_person_keys(id)?;
    if keeps_activity {
        wrapped.activity = row.bytes(0)?;
    }
    let nobody = Profile {
        username: format!("closed-{}", id.simple()),
        ..Profile::default()
    };
    let plain = serde_json::to_vec(&nobody).map_err(|error| Fault::Internal(error.to_string()))?;
    let keys = vault.person_keys(id, &wrapped)?;
    let sealed = keys.seal_profile(profile_cell(&id), &plain)?;
    // No name that anybody can type.
    let name = vault.lookup(NAME_DOMAIN, &format!("\0{id}"));
    let epoch = now.plus(EPOCH_MARGIN);
    let values = vec![
        id.into(),
        name.into(),
        sealed.into(),
        epoch.into(),
        now.into(),
    ];
    if tx.execute(CLOSE, values).await? == 0 {
        return Ok(false);
    }
    let values = vec![id.into(), wrapped.profile.into(), wrapped.activity.into()];
    tx.execute(KEYS, values).await?;
    tx.announce(What::UserEpoch(id), epoch);
    Ok(true)
}

fn read(tx: &Tx, row: &Row) -> Result<User, Fault> {
    let vault = tx.vault()?;
    let id = row.uuid(0)?;
    let wrapped = crate::vault::WrappedPersonKeys {
        profile: row.bytes(5)?,
        activity: row.bytes(6)?,
    };
    let keys = vault.person_keys(id, &wrapped)?;
    let profile = keys.open_profile(profile_cell(&id), &row.bytes(2)?)?;
    let envelope = row.opt_bytes(3)?;
    let password = envelope
        .as_ref()
        .map(|sealed| {
            let plain = vault.open_cell(password_cell(&id), sealed)?;
            let text = String::from_utf8(plain.to_vec());
            text.map(Secret::new)
                .map_err(|_| Fault::Unreadable("users.password".to_owned()))
        })
        .transpose()?;
    Ok(User {
        id,
        state: UserState::read(&row.text(1)?)?,
        profile: serde_json::from_slice(&profile)
            .map_err(|_| Fault::Unreadable("users.profile".to_owned()))?,
        password,
        keys,
        valid_from: row.time(7)?,
        created_at: row.time(4)?,
        close_asked_at: row.opt_time(8)?,
        closed_at: row.opt_time(9)?,
        envelope,
    })
}

fn profile_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("users", "profile", id.as_bytes())
}

fn password_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("users", "password", id.as_bytes())
}
