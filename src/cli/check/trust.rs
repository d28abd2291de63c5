//! Whom the server trusts to certify clients, and what they took back (`[mtls]`).

use std::time::Duration;

use rules::time::Timestamp;

use super::finding::Finding;
use crate::config::Config;
use crate::trust::{Ending, Trust, endings};

/// How long before its end a list must be there anew.
const LIST_SOON: Duration = Duration::from_hours(24);

/// Reads the authorities and their lists; nothing when none are set.
///
/// # Errors
/// Why the server would not take them.
pub(super) fn look(config: &Config) -> Result<Vec<Ending>, String> {
    Trust::open(config.mtls.as_ref())?;
    config.mtls.as_ref().map_or(Ok(Vec::new()), endings)
}

/// Judges them.
pub(super) fn judge(seen: Result<Vec<Ending>, String>, now: Timestamp) -> Vec<Finding> {
    const RENEW: &str =
        "put the authority's newest list in place; the server reads it by itself within a minute";
    let all = match seen {
        Ok(all) => all,
        Err(why) => {
            let remedy = "correct the file or the setting";
            return vec![Finding::new("mtls.authorities_refused", why, remedy)];
        }
    };
    let mut found = Vec::new();
    let mut add = |id, what, remedy: &str| found.push(Finding::new(id, what, remedy));
    for one in &all {
        let (name, file) = (&one.name, one.file.display());
        let Some(at) = one.at else { continue };
        if !one.is_list && at <= now {
            add(
                "mtls.authority_over",
                format!("the certificate of the authority {name} in {file} is over"),
                "take it out of the file, or put the renewed one in its place",
            );
        } else if one.is_list && at <= now {
            let what = format!("the list of the authority {name} in {file} is over");
            add("mtls.list_over", what, RENEW);
        } else if one.is_list && at <= now.plus(LIST_SOON) {
            let what = format!("the list of the authority {name} in {file} ends within a day");
            add("mtls.list_ends_soon", what, RENEW);
        }
    }
    if !all.is_empty() && !all.iter().any(|one| one.is_list) {
        add(
            "mtls.no_lists",
            "authorities are set, and no list of what they took back".to_owned(),
            "name the lists of all authorities in mtls.revocation_files",
        );
    }
    found
}
