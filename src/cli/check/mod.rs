//! `countersign check`: what is not as it should be, why that matters, and what mends it. The
//! rules are pure; what they judge is gathered before.

mod files;
mod finding;
mod installation;
mod listener;
mod machine;
mod settings;
mod trust;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Failed, output};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::fault::Fault;
use crate::flows::inspect::{self, Facts};
use crate::http::admin::{self, AdminCommand, AdminReply, Answer};
use crate::store::{Location, Store, keys};
use crate::vault::{RootKey, Vault};
use finding::{Finding, Severity};

#[derive(Debug, Args)]
#[command(after_help = "\
It changes nothing, and works with and without a running server. Each finding says what is so, why
that matters and what to do; docs/operate/check.md says more.

  countersign check
  countersign check --json --fail-on medium     for a monitoring system")]
pub(super) struct Arguments {
    /// Exit with 1 when a finding is at least this severe
    #[arg(long, value_enum, default_value_t = Severity::High, value_name = "SEVERITY")]
    fail_on: Severity,
}

/// Looks at everything and prints what was found, the worst first.
///
/// JSON: `{"findings":[{"id","severity","what","why","remedy","doc"}],"worst":"high"}`.
pub(super) async fn run(path: &Path, arguments: &Arguments, json: bool) -> Result<(), Failed> {
    let mut found = match Config::load(path) {
        Err(why) => vec![Finding::new(
            "settings.refused",
            why,
            "correct the setting; countersign.example.toml explains each",
        )],
        Ok(config) => everything(path, &config).await,
    };
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.id.cmp(b.id)));
    if json {
        let worst = found.first().map(|worst| worst.severity);
        output::object(&json!({ "findings": found, "worst": worst }))?;
    } else {
        output::text(&shown(&found))?;
    }
    let failing = found
        .iter()
        .filter(|one| one.severity >= arguments.fail_on)
        .count();
    match failing {
        0 => Ok(()),
        failing => Err(Failed::new(format!(
            "{failing} of {}: {} or worse; each says what mends it",
            output::counted(found.len() as u64, "finding", "findings"),
            arguments.fail_on.as_str()
        ))),
    }
}

async fn everything(path: &Path, config: &Config) -> Vec<Finding> {
    let now = Clock::system().now();
    let mut found = settings::judge(config);
    found.extend(files::judge(&files::look(path, config)));
    found.extend(listener::both(config, now));
    found.extend(trust::judge(trust::look(config), now));
    let mut machine = machine::look(config, now);
    match facts(config).await {
        Ok(facts) => {
            machine.newest_event = facts.newest_event;
            machine.database_ahead = facts.engine.clock_ahead;
            machine.open_files = facts.open_files;
            found.extend(installation::judge(&facts, config.issuer.as_str()));
            found.extend(installation::details(&facts, &config.details));
        }
        Err(why) => found.push(Finding::new(
            "database.unreachable",
            why,
            "see that the database runs and that database.url is right",
        )),
    }
    found.extend(machine::judge(&machine));
    found
}

/// From the running server, or by a look of our own when none runs.
async fn facts(config: &Config) -> Result<Facts, String> {
    let socket = &config.server.admin_socket;
    match admin::ask(socket, &AdminCommand::Inspect).await {
        Ok(Some(Answer::Done(AdminReply::Facts(facts)))) => Ok(*facts),
        Ok(Some(Answer::Refused(why) | Answer::Fault(why))) => Err(why),
        Ok(Some(_)) => Err("the server answered something else".to_owned()),
        Ok(None) => directly(config).await,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "this account may not open {}; run the command as the server's account",
            socket.display()
        )),
        Err(error) => Err(format!("{}: {error}", socket.display())),
    }
}

async fn directly(config: &Config) -> Result<Facts, String> {
    let location = match &config.database {
        // Looking must not make the file.
        Database::Sqlite(path) if !path.exists() => return Ok(Facts::default()),
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    let store = Store::connect(location)
        .await
        .map_err(|fault| fault.to_string())?;
    let facts = look(&store, config).await;
    store.close().await;
    facts.map_err(|fault| fault.to_string())
}

async fn look(store: &Store, config: &Config) -> Result<Facts, Fault> {
    let now = Clock::system().now();
    let opened = open(store, config).await;
    let vault = match &opened {
        Ok(vault) => Ok(vault.as_ref()),
        Err(why) => Err(why.clone()),
    };
    if let Ok(vault) = &opened {
        store.unseal(std::sync::Arc::clone(vault));
    }
    inspect::look(store, vault, &config.issuer, now).await
}

async fn open(store: &Store, config: &Config) -> Result<std::sync::Arc<Vault>, String> {
    let root = RootKey::read(&config.root_key_file)?;
    let wrapped = store.read(|tx| Box::pin(keys::wrapped(tx))).await;
    let wrapped = wrapped.map_err(|fault| fault.to_string())?;
    Vault::open(&root, &wrapped)
        .map(std::sync::Arc::new)
        .map_err(|fault| fault.to_string())
}

fn shown(found: &[Finding]) -> String {
    if found.is_empty() {
        return "Everything is as it should be.\n".to_owned();
    }
    let mut out = String::new();
    for one in found {
        let head = format!(
            "{:<8}  {}\n",
            one.severity.as_str(),
            output::plain(&one.what)
        );
        out.push_str(&head);
        out.push_str(&output::paragraph(one.why, 10));
        out.push_str(&output::paragraph(
            &format!("→ {}", output::plain(&one.remedy)),
            10,
        ));
        let _ = writeln!(out, "          {}\n", one.doc);
    }
    out
}
