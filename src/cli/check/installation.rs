//! The database and what lies in it: schema, keys, clients, audit log, backups.

use std::time::Duration;

use rules::network::is_loopback_host;
use rules::time::Timestamp;
use url::Url;

use super::finding::Finding;
use crate::cli::output;
use crate::config::DetailsTypes;
use crate::flows::inspect::{ClientFact, Facts};
use crate::flows::rotate_keys::ALWAYS;
use crate::store::schema_version;

const DAY: Duration = Duration::from_hours(24);
/// How long a signing key signs before it is time for the next.
const OLD_KEY: Duration = Duration::from_hours(24 * 365);
/// How old the newest backup may be.
const OLD_BACKUP: Duration = Duration::from_hours(24 * 3);
/// How old a secret may be.
const OLD_SECRET: Duration = Duration::from_hours(24 * 365);
/// How long a mail may wait.
const SLOW_MAIL: Duration = Duration::from_hours(1);
/// How many events may wait to be sealed.
const WAITING: u64 = 100_000;

/// Judges what was seen.
pub(super) fn judge(facts: &Facts, issuer: &str) -> Vec<Finding> {
    let mut found = database(facts, issuer);
    if facts.schema == 0 {
        return found;
    }
    found.extend(keys(facts));
    found.extend(log(facts));
    found.extend(mail(facts));
    found.extend(facts.clients.iter().flat_map(|one| client(one, facts.at)));
    found
}

fn database(facts: &Facts, issuer: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |id, what: String, remedy: &str| found.push(Finding::new(id, what, remedy));
    let (theirs, ours) = (facts.schema, schema_version());
    let engine = &facts.engine;
    match theirs {
        0 => add(
            "database.empty",
            "no installation lies in the database".to_owned(),
            "correct database.url, make an installation with `countersign init`, or `countersign restore` a backup",
        ),
        theirs if theirs < ours => add(
            "database.schema_older",
            format!("the schema has version {theirs}, this binary needs {ours}"),
            "run `countersign migrate`",
        ),
        theirs if theirs > ours && engine.serves => add(
            "database.schema_extended",
            format!(
                "a newer version extended the schema to {theirs}, this binary knows {ours} and goes on"
            ),
            "finish the upgrade: run the newer binary everywhere",
        ),
        theirs if theirs > ours => add(
            "database.schema_newer",
            format!("the schema has version {theirs}, this binary knows {ours}"),
            "run the newer binary again",
        ),
        _ => {}
    }
    if let Some(known) = facts.issuer.as_deref().filter(|known| *known != issuer) {
        add(
            "database.other_issuer",
            format!("the settings say {issuer}, the database belongs to {known}"),
            "set issuer to the one of the database, or use another database",
        );
    }
    if engine.encrypted == Some(false) {
        add(
            "database.unencrypted",
            "the connection to PostgreSQL is not encrypted".to_owned(),
            "add ?sslmode=verify-full to database.url, and sslrootcert=FILE for your own authority",
        );
    }
    if engine.superuser {
        add(
            "database.superuser",
            "the server's role is a superuser of PostgreSQL".to_owned(),
            "use a role that owns this database and nothing else: `createuser countersign`",
        );
    }
    if engine.may_change_events {
        add(
            "database.may_change_events",
            "the server's role may UPDATE audit_events (a trigger refuses it, but an owner can remove that)".to_owned(),
            "let another role own the tables and run migrations, and REVOKE UPDATE, TRUNCATE ON audit_events from this one; ship `countersign audit checkpoint` off this host in any case",
        );
    }
    if !engine.durable && !engine.name.is_empty() {
        add(
            "database.not_durable",
            "PostgreSQL does not wait for the disk (fsync or synchronous_commit is off)".to_owned(),
            "set fsync = on and synchronous_commit = on in postgresql.conf",
        );
    }
    if engine.standby_behind {
        add(
            "database.standby_behind",
            "PostgreSQL has a standby, and commits wait for none".to_owned(),
            "name the standby in synchronous_standby_names (`FIRST 1 (…)` or `ANY 1 (…)`), with synchronous_commit = on",
        );
    }
    if let Some(why) = &facts.sealed {
        add(
            "vault.unreadable",
            why.clone(),
            "put the root key of this database back (vault.root_key_file), or restore a backup",
        );
    }
    found
}

fn keys(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    // Of an older schema, not every key is there.
    if facts.sealed.is_some() || facts.schema < schema_version() {
        return found;
    }
    for alg in ALWAYS.map(rules::jose::KeyPurpose::as_str) {
        let of = |state: &str| {
            facts
                .keys
                .iter()
                .find(|key| key.alg == alg && key.state == state)
        };
        for state in ["active", "next"] {
            if of(state).is_none() {
                found.push(Finding::new(
                    "keys.missing",
                    format!("there is no {state} {alg} key"),
                    "start the server once: it makes what is missing",
                ));
            }
        }
        if let Some(active) = of("active")
            && facts.at.since(active.changed_at) > OLD_KEY
        {
            found.push(Finding::new(
                "keys.old",
                format!(
                    "the {alg} key has signed for {} days",
                    facts.at.since(active.changed_at).as_secs() / DAY.as_secs()
                ),
                format!("run `countersign key rotate {alg}`; nobody has to change anything"),
            ));
        }
    }
    found
}

fn log(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |id, what: String, remedy: &str| found.push(Finding::new(id, what, remedy));
    if let Some(Err(why)) = &facts.audit {
        add(
            "audit.altered",
            format!("the audit log was altered: {why}"),
            "keep the database as it is for an investigation; `countersign audit verify --checkpoint FILE` compares it with what left this host",
        );
    }
    if facts.unsealed > WAITING {
        add(
            "audit.unsealed",
            format!("{} events wait to be sealed", facts.unsealed),
            "make sure that a server runs; its log says why it does not keep up",
        );
    }
    match facts.newest_backup {
        None => add(
            "backup.none",
            "no backup was ever made".to_owned(),
            "run `countersign backup --to DIR --keep 14` every day, and keep a copy of the root key elsewhere",
        ),
        Some(at) if facts.at.since(at) > OLD_BACKUP => add(
            "backup.old",
            format!(
                "the newest backup is {} days old",
                facts.at.since(at).as_secs() / DAY.as_secs()
            ),
            "run `countersign backup --to DIR --keep 14` every day",
        ),
        Some(_) => {}
    }
    found
}

fn mail(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    if facts.mails_given_up > 0 {
        found.push(Finding::new(
            "mail.not_sent",
            format!(
                "{} could not be sent within the last week",
                output::counted(facts.mails_given_up, "mail", "mails")
            ),
            "see whose and why with `countersign audit list --kind mail.not_sent`, and tell them otherwise",
        ));
    }
    if let Some(at) = facts
        .oldest_mail
        .filter(|at| facts.at.since(*at) > SLOW_MAIL)
    {
        found.push(Finding::new(
            "mail.waiting",
            format!(
                "a mail has waited for {} minutes",
                facts.at.since(at).as_secs() / 60
            ),
            "see what the mail server answers with `countersign mail test`",
        ));
    }
    found
}

fn client(client: &ClientFact, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    let id = &client.id;
    if !client.enabled {
        return found;
    }
    let mut add = |kind, what: String, remedy: String| found.push(Finding::new(kind, what, remedy));
    if client.profile == "compat" {
        add(
            "client.compat",
            format!("the client {id} has the profile compat: it need not use PKCE"),
            "ask the partner for a library with PKCE, and register it anew without --profile compat".to_owned(),
        );
    }
    if !client.confidential && !client.redirect_uris.is_empty() {
        add(
            "client.public",
            format!("the client {id} is public"),
            "register partners with a server of their own as confidential clients (--jwks)"
                .to_owned(),
        );
    }
    let show = format!("see `countersign client show {id}`, and register an https address instead");
    for uri in &client.redirect_uris {
        let Ok(url) = Url::parse(uri) else { continue };
        let loopback = url.host_str().is_some_and(is_loopback_host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => add(
                "client.redirect_loopback",
                format!("the client {id} is sent back to {uri}"),
                "leave it to programs on the person's own machine; remove what was for development"
                    .to_owned(),
            ),
            "http" => add(
                "client.redirect_http",
                format!("the client {id} is sent back to {uri}"),
                show.clone(),
            ),
            _ => add(
                "client.redirect_scheme",
                format!("the client {id} is sent back to {uri}"),
                "use an https address that the app claims (RFC 8252 section 7.2)".to_owned(),
            ),
        }
    }
    if client.secrets > 0 && now.since(client.changed_at) > OLD_SECRET {
        add(
            "client.old_secret",
            format!("the secret of the client {id} is older than a year"),
            format!(
                "run `countersign client rotate-secret {id}`; the old one stays good until the next rotation"
            ),
        );
    }
    found
}

/// Compares the types of authorization details that clients name with those of the settings.
pub(super) fn details(facts: &Facts, types: &DetailsTypes) -> Vec<Finding> {
    let mut found = Vec::new();
    let enabled = || facts.clients.iter().filter(|client| client.enabled);
    for client in enabled() {
        let unknown = |name: &&String| !types.names().any(|known| known == name.as_str());
        for name in client.details_types.iter().filter(unknown) {
            let id = &client.id;
            found.push(Finding::new(
                "client.unknown_details",
                format!("the client {id} may use the authorization details {name}, which the settings do not know"),
                format!(
                    "add the type to [[authorization_details]], or take it from the client with `countersign client set {id} --authorization-details-type …`"
                ),
            ));
        }
    }
    if facts.schema == 0 || facts.sealed.is_some() {
        // No client was seen.
        return found;
    }
    for name in types.names() {
        if !enabled().any(|client| client.details_types.iter().any(|used| used == name)) {
            found.push(Finding::new(
                "settings.unused_details",
                format!("no client may use the authorization details {name}"),
                format!("register a client for it with `countersign client set ID --authorization-details-type {name}`, or remove the type"),
            ));
        }
    }
    found
}
