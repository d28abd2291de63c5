//! What the settings say.

use super::finding::Finding;
use crate::config::{Argon2Cost, Config};

/// The longest life of an access token that needs no reason, in seconds.
const LONG_TOKEN: u64 = 3600;

/// Judges the settings.
pub(super) fn judge(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |finding| found.push(finding);
    if config.loosened().contains(&"server.plain_http") {
        add(Finding::new(
            "settings.plain_http",
            format!(
                "server.listen is {}, which other machines reach, and speaks plain HTTP",
                config.server.listen
            ),
            "listen on 127.0.0.1 beside the TLS proxy, or make sure that nothing else is on that network",
        ));
    }
    if !config.issuer.is_secure() {
        add(Finding::new(
            "settings.issuer_http",
            format!("the issuer is {}", config.issuer.as_str()),
            "for other people than you, make an installation with an https issuer: `countersign init --issuer https://…`",
        ));
    }
    if is_cheap(config.people.argon2) {
        add(Finding::new(
            "settings.argon2_cost",
            format!(
                "a password hash costs {} KiB and {} passes",
                config.people.argon2.memory, config.people.argon2.passes
            ),
            "remove people.argon2_memory_kib and people.argon2_passes from the settings; the defaults are the least that is advised",
        ));
    }
    let seconds = config.lifetimes.access_token.as_secs();
    if seconds > LONG_TOKEN {
        add(Finding::new(
            "settings.long_tokens",
            format!("lifetimes.access_token_seconds is {seconds}"),
            "set it to 300 and let apps refresh",
        ));
    }
    if ["debug", "trace"]
        .iter()
        .any(|level| config.log.filter.contains(level))
    {
        add(Finding::new(
            "settings.log_verbose",
            format!("log.filter is {:?}", config.log.filter),
            "set log.filter = \"info\" when you have seen what you looked for",
        ));
    }
    let named = ["server.plain_http", "people.argon2_memory_kib"];
    for setting in config.loosened() {
        if !named.contains(&setting) {
            add(Finding::new(
                "settings.loosened",
                format!("{setting} is weaker than its default"),
                format!("remove {setting} from the settings when the reason for it is gone"),
            ));
        }
    }
    if config.institution.name == "Countersign" {
        add(Finding::new(
            "settings.institution",
            "institution.name is not set".to_owned(),
            "set institution.name to the name that people know you by",
        ));
    }
    found
}

fn is_cheap(cost: Argon2Cost) -> bool {
    cost.memory < 19 * 1024 || cost.passes < 2
}
