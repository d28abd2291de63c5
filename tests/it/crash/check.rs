//! The checker: it reads the database by statements of its own, none of the server's, and looks for
//! what may not be: half of something, something without its audit event, an event without its thing.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::support::Engine;
use crate::support::server::Left;

/// What may not be, and a statement that counts how often it is.
const NEVER: [(&str, &str); 20] = [
    (
        "a code without its authorization",
        "SELECT COUNT(*) FROM codes c WHERE NOT EXISTS \
         (SELECT 1 FROM authorizations a WHERE a.id = c.authorization_id)",
    ),
    (
        "an authorization without its grant",
        "SELECT COUNT(*) FROM authorizations a WHERE a.grant_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM grants g WHERE g.id = a.grant_id)",
    ),
    (
        "an authorization without its session",
        "SELECT COUNT(*) FROM authorizations a WHERE a.session_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM sessions s WHERE s.id = a.session_id)",
    ),
    (
        "refresh tokens for a code that was not redeemed",
        "SELECT COUNT(*) FROM refresh_families f JOIN codes c \
         ON c.authorization_id = f.authorization_id WHERE c.used_at IS NULL",
    ),
    (
        "a redeemed code without its refresh tokens",
        "SELECT COUNT(*) FROM codes c WHERE c.used_at IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM refresh_families f WHERE f.authorization_id = c.authorization_id)",
    ),
    (
        "two families of refresh tokens for one code",
        "SELECT COUNT(*) FROM (SELECT authorization_id FROM refresh_families \
         GROUP BY authorization_id HAVING COUNT(*) > 1) t",
    ),
    (
        "a person who is active with half of her credentials",
        "SELECT COUNT(*) FROM users u WHERE u.state = 'active' AND (u.password IS NULL \
         OR NOT (EXISTS (SELECT 1 FROM totp_factors t WHERE t.user_id = u.id) \
         OR EXISTS (SELECT 1 FROM webauthn_credentials k WHERE k.user_id = u.id)) \
         OR NOT EXISTS (SELECT 1 FROM recovery_sets r WHERE r.user_id = u.id) \
         OR (SELECT COUNT(*) FROM recovery_codes r WHERE r.user_id = u.id) <> 10)",
    ),
    (
        "a person who is only invited and has a factor",
        "SELECT COUNT(*) FROM users u WHERE u.state = 'invited' AND EXISTS \
         (SELECT 1 FROM totp_factors t WHERE t.user_id = u.id)",
    ),
    (
        "a person without keys",
        "SELECT COUNT(*) FROM users u WHERE NOT EXISTS \
         (SELECT 1 FROM person_keys k WHERE k.user_id = u.id)",
    ),
    (
        "a live session of somebody who is disabled",
        "SELECT COUNT(*) FROM users u JOIN sessions s ON s.user_id = u.id \
         WHERE u.state = 'disabled' AND s.ended_at IS NULL",
    ),
    (
        "something left of somebody who is gone",
        "SELECT COUNT(*) FROM users u WHERE u.closed_at IS NOT NULL AND (u.state <> 'disabled' \
         OR u.password IS NOT NULL \
         OR EXISTS (SELECT 1 FROM totp_factors t WHERE t.user_id = u.id) \
         OR EXISTS (SELECT 1 FROM webauthn_credentials k WHERE k.user_id = u.id) \
         OR EXISTS (SELECT 1 FROM recovery_codes r WHERE r.user_id = u.id) \
         OR EXISTS (SELECT 1 FROM grants g WHERE g.user_id = u.id AND g.revoked_at IS NULL))",
    ),
    (
        "a good link of a re-proofing that is over",
        "SELECT COUNT(*) FROM invites i JOIN reproofs r ON r.id = i.reproof_id \
         WHERE r.ended_at IS NOT NULL AND i.used_at IS NULL",
    ),
    (
        "a re-proofing that goes on after its link was used",
        "SELECT COUNT(*) FROM invites i JOIN reproofs r ON r.id = i.reproof_id \
         WHERE r.ended_at IS NULL AND i.used_at IS NOT NULL",
    ),
    (
        "links with the provider, beyond what the log says was linked and unlinked",
        "SELECT (SELECT COUNT(*) FROM upstream_links) \
         - (SELECT COUNT(*) FROM audit_events WHERE kind = 'upstream.linked') \
         + (SELECT COUNT(*) FROM audit_events WHERE kind = 'upstream.unlinked')",
    ),
    (
        "a gap in the feed",
        "SELECT CASE WHEN COUNT(*) = 0 THEN 0 ELSE MAX(seq) - MIN(seq) + 1 - COUNT(*) END FROM feed",
    ),
    (
        "a feed that is ahead of its counter",
        "SELECT COUNT(*) FROM counters WHERE name = 'feed' AND value < \
         (SELECT COALESCE(MAX(seq), 0) FROM feed)",
    ),
    (
        "an algorithm without one key that signs and one that will",
        "SELECT COUNT(*) FROM (SELECT alg FROM \
         (SELECT alg, state FROM signing_keys UNION ALL SELECT alg, state FROM encryption_keys) k \
         GROUP BY alg HAVING \
         SUM(CASE state WHEN 'active' THEN 1 ELSE 0 END) <> 1 OR \
         SUM(CASE state WHEN 'next' THEN 1 ELSE 0 END) <> 1) t",
    ),
    (
        "an event that is neither sealed nor waits for it",
        "SELECT COUNT(*) FROM audit_events e WHERE \
         NOT EXISTS (SELECT 1 FROM audit_unsealed u WHERE u.id = e.id) AND \
         NOT EXISTS (SELECT 1 FROM audit_leaves l WHERE l.id = e.id)",
    ),
    (
        "an event that is sealed and waits for it",
        "SELECT COUNT(*) FROM audit_unsealed u JOIN audit_leaves l ON l.id = u.id",
    ),
    (
        "leaves beyond the newest checkpoint, or the other way round",
        "SELECT (SELECT COUNT(*) FROM audit_leaves) - \
         (SELECT COALESCE(MAX(size), 0) FROM audit_checkpoints)",
    ),
];

/// The event of a redemption.
const REDEEMED: &str = "token.issued authorization_code";

/// What an event may be about.
const ABOUT: [&str; 6] = [
    "authorization",
    "session",
    "subject",
    "client",
    "grant",
    "passkey",
];

/// What people have that comes with an event each, and the kinds of these.
const EACH: [(&str, &str, &str, &[&str]); 5] = [
    (
        "a re-proofing",
        "SELECT user_id FROM reproofs",
        "subject",
        &["recovery.begun"],
    ),
    (
        "an approved re-proofing",
        "SELECT user_id FROM reproofs WHERE approved_at IS NOT NULL",
        "subject",
        &["recovery.approved"],
    ),
    (
        "a re-proofing that ended",
        "SELECT user_id FROM reproofs WHERE ended_at IS NOT NULL",
        "subject",
        &["recovery.cancelled", "recovery.finished"],
    ),
    (
        "a closed access",
        "SELECT id FROM users WHERE closed_at IS NOT NULL",
        "subject",
        &["user.closed"],
    ),
    (
        "a key",
        "SELECT id FROM webauthn_credentials",
        "passkey",
        &["passkey.added"],
    ),
];

/// A connection of the checker's own.
enum Own {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// What may not be, and is; sentences.
pub async fn violations(left: &Left) -> Vec<String> {
    let mut own = Own::open(left).await;
    let mut found = Vec::new();
    for (what, sql) in NEVER {
        let times = own.number(sql).await;
        if times != 0 {
            found.push(format!("{what}: {times}"));
        }
    }
    found.extend(leaves(&mut own).await);
    found.extend(events(&mut own).await);
    own.close().await;
    found
}

/// One number.
pub async fn number(left: &Left, sql: &str) -> i64 {
    let mut own = Own::open(left).await;
    let number = own.number(sql).await;
    own.close().await;
    number
}

/// Each leaf has its number and the hash of its event (RFC 9162 §2.1.1).
async fn leaves(own: &mut Own) -> Vec<String> {
    let leaves = own
        .rows("SELECT l.hash, e.leaf FROM audit_leaves l JOIN audit_events e ON e.id = l.id ORDER BY l.n")
        .await;
    let mut found = Vec::new();
    let last = own
        .number("SELECT COALESCE(MAX(n) + 1, 0) FROM audit_leaves")
        .await;
    if last != i64::try_from(leaves.len()).unwrap() {
        found.push(format!("{} leaves are numbered up to {last}", leaves.len()));
    }
    for row in leaves {
        let bytes = [&[0], row[1].as_slice()].concat();
        if digest(&SHA256, &bytes).as_ref() != row[0] {
            found.push("a leaf is not the hash of its event".to_owned());
        }
    }
    found
}

/// What was done has its event, and the other way round.
async fn events(own: &mut Own) -> Vec<String> {
    // How often there is an event of this kind about this thing.
    let mut told: BTreeMap<(String, &str, String), u32> = BTreeMap::new();
    for row in own.rows("SELECT leaf, id FROM audit_events").await {
        let event: Value = serde_json::from_slice(&row[0]).unwrap();
        if event["outcome"] != "done" {
            continue;
        }
        let mut kind = event["kind"].as_str().unwrap().to_owned();
        if let Some(grant_type) = event["detail"]["grant_type"].as_str() {
            kind = format!("{kind} {grant_type}");
        }
        for about in ABOUT {
            let id = event[about].as_str().or(event["detail"][about].as_str());
            if let Some(id) = id {
                *told
                    .entry((kind.clone(), about, id.to_owned()))
                    .or_default() += 1;
            }
        }
    }
    let times = |kind: &str, about: &'static str, id: &str| {
        let key = (kind.to_owned(), about, id.to_owned());
        told.get(&key).copied().unwrap_or(0)
    };
    let mut found = Vec::new();
    let mut expect = |what: &str, is: u32, should: u32| {
        if is != should {
            found.push(format!("{what}: {is} events, not {should}"));
        }
    };
    for id in own
        .ids("SELECT id FROM authorizations WHERE user_id IS NOT NULL")
        .await
    {
        expect("a code", times("code.issued", "authorization", &id), 1);
    }
    for id in own
        .ids("SELECT authorization_id FROM codes WHERE used_at IS NOT NULL")
        .await
    {
        expect("a redemption", times(REDEEMED, "authorization", &id), 1);
    }
    for id in own
        .ids("SELECT authorization_id FROM codes WHERE used_at IS NULL")
        .await
    {
        expect("no redemption", times(REDEEMED, "authorization", &id), 0);
    }
    for (what, sql, about, kinds) in EACH {
        let mut there = BTreeMap::new();
        for id in own.ids(sql).await {
            *there.entry(id).or_default() += 1;
        }
        for (id, should) in there {
            let is = kinds.iter().map(|kind| times(kind, about, &id)).sum();
            expect(what, is, should);
        }
    }
    let sessions: BTreeSet<String> = own
        .ids("SELECT id FROM sessions")
        .await
        .into_iter()
        .collect();
    for id in &sessions {
        let begun = times("sign_in.succeeded", "session", id);
        expect("a session", begun.min(1), 1);
    }
    for (kind, about, id) in told.keys() {
        if kind == "sign_in.succeeded" && *about == "session" && !sessions.contains(id) {
            found.push(format!("session {id} was begun, but is not there"));
        }
    }
    let mut expect = |what: &str, is: bool| {
        if !is {
            found.push(format!("{what} without its event"));
        }
    };
    for id in own.ids("SELECT id FROM users WHERE state = 'active'").await {
        expect("an activation", times("user.activated", "subject", &id) > 0);
    }
    for id in own
        .ids("SELECT id FROM users WHERE state = 'disabled' AND closed_at IS NULL")
        .await
    {
        expect(
            "a disabled user",
            times("user.disabled", "subject", &id) > 0,
        );
    }
    for id in own
        .ids("SELECT id FROM grants WHERE revoked_at IS NOT NULL AND client_id IN ('web', 'phone')")
        .await
    {
        expect(
            "an end of sharing",
            times("grant.revoked", "grant", &id) > 0,
        );
    }
    found.extend(untold(own).await);
    found
}

/// What was revoked is in the feed, as long as the feed goes back that far.
async fn untold(own: &mut Own) -> Vec<String> {
    let subjects = own
        .rows("SELECT CAST(subject AS BYTEA), CAST(kind AS BYTEA) FROM feed WHERE kind = 'authorization'")
        .await;
    let told: BTreeSet<String> = subjects
        .into_iter()
        .map(|row| String::from_utf8(row[0].clone()).unwrap())
        .collect();
    let revoked = own
        .ids(
            "SELECT id FROM authorizations WHERE revoked_at IS NOT NULL AND user_id IS NOT NULL \
             AND revoked_at >= (SELECT MIN(at) FROM feed)",
        )
        .await;
    revoked
        .into_iter()
        .filter(|id| !told.contains(id))
        .map(|id| format!("authorization {id} was revoked, and nobody is told"))
        .collect()
}

impl Own {
    async fn open(left: &Left) -> Self {
        match left.engine {
            Engine::Sqlite => {
                let path = left.directory.path().join("countersign.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(std::time::Duration::from_secs(10));
                let own = SqliteConnection::connect_with(&options).await.unwrap();
                Self::Sqlite(Box::new(own))
            }
            Engine::Postgres => {
                let own = PgConnection::connect(&left.url).await.unwrap();
                Self::Postgres(Box::new(own))
            }
        }
    }

    async fn number(&mut self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(own) => sqlx::query(sql).fetch_one(&mut **own).await.unwrap().get(0),
            Self::Postgres(own) => sqlx::query(sql).fetch_one(&mut **own).await.unwrap().get(0),
        }
    }

    /// Rows of two columns of bytes.
    async fn rows(&mut self, sql: &str) -> Vec<[Vec<u8>; 2]> {
        match self {
            Self::Sqlite(own) => {
                let sql = sqlx::AssertSqlSafe(sql.replace("BYTEA", "BLOB"));
                let rows = sqlx::query(sql).fetch_all(&mut **own).await.unwrap();
                rows.iter().map(|row| [row.get(0), row.get(1)]).collect()
            }
            Self::Postgres(own) => {
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let rows = sqlx::query(sql).fetch_all(&mut **own).await.unwrap();
                rows.iter().map(|row| [row.get(0), row.get(1)]).collect()
            }
        }
    }

    /// Identifiers, as events write them.
    async fn ids(&mut self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let bytes: Vec<Vec<u8>> = match self {
            Self::Sqlite(own) => {
                let rows = sqlx::query(sql).fetch_all(&mut **own).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(own) => {
                let rows = sqlx::query(sql).fetch_all(&mut **own).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        };
        let text = |id: &Vec<u8>| uuid::Uuid::from_slice(id).unwrap().to_string();
        bytes.iter().map(text).collect()
    }

    async fn close(self) {
        match self {
            Self::Sqlite(own) => own.close().await.unwrap(),
            Self::Postgres(own) => own.close().await.unwrap(),
        }
    }
}
