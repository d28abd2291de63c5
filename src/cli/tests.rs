//! The command line as a whole: that it parses what its help shows, and that the example file is
//! complete and true.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use clap::{CommandFactory as _, Parser as _};

use super::Cli;
use crate::config::Config;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_explains_itself() {
    fn explained(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} has no explanation");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{path}: {} has no help",
                argument.get_id()
            );
        }
        for sub in command.get_subcommands() {
            explained(sub, &path);
        }
    }
    explained(&Cli::command(), "");
}

/// The lines of all helps that show a command line, joined where they are continued.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let joined = help.replace("\\\n      ", "");
    let mut found: Vec<String> = joined
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("countersign "))
        .map(|line| line.split("     ").next().unwrap_or_default().to_owned())
        .collect();
    for sub in command.get_subcommands() {
        found.extend(examples(sub));
    }
    found
}

/// Splits as a shell would, as far as the examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn every_example_in_the_help_parses() {
    let examples: Vec<String> = examples(&Cli::command())
        .into_iter()
        // Where the output goes is the shell's affair.
        .map(|line| line.split(" > ").next().unwrap().trim_end().to_owned())
        .collect();
    assert!(examples.len() > 20, "{examples:?}");
    for line in examples {
        let parsed = Cli::try_parse_from(words(&line));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for line in [
        "countersign",
        "countersign user add",
        "countersign key rotate HS256",
    ] {
        let error = Cli::try_parse_from(words(line)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

fn example() -> &'static str {
    include_str!("../../countersign.example.toml")
}

fn load(text: &str) -> Config {
    let name = crate::rng::uuid(rules::time::Timestamp::default()).unwrap();
    let path = std::env::temp_dir().join(format!("countersign-example-{name}.toml"));
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path);
    std::fs::remove_file(&path).unwrap();
    config.unwrap()
}

/// The example with every setting in force: what begins with `# name = ` is uncommented, but for
/// the makers of authenticators, who are refused without models that they vouch for, and a section
/// that is repeated, which has no defaults.
fn everything_set() -> String {
    let setting = |line: &str| {
        let (name, _) = line.split_once(" = ")?;
        let named = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        (named && !name.is_empty() && name != "attestation_roots").then_some(())
    };
    let (once, repeated) = example().split_once("\n# [[").unwrap();
    let uncommented = once
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if setting(rest).is_some() => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    format!("{uncommented}\n# [[{repeated}")
}

#[test]
fn the_example_file_is_accepted_as_it_stands() {
    let config = load(example());
    assert_eq!(config.issuer.as_str(), "https://login.bank.example");
    assert!(config.loosened().is_empty());
}

#[test]
fn the_defaults_that_the_example_file_shows_are_true() {
    // What has no default is shown by an example.
    let shown = [
        "institution.help_phone",
        "institution.documentation_uri",
        "institution.policy_uri",
        "institution.terms_uri",
        "server.admin_socket",
        // Of PostgreSQL; the example's database is the embedded one.
        "server.drain_seconds",
        "tls",
        "mtls",
        "outbound.ca_file",
        "mail",
        "upstream",
    ];
    // Files that are read with the rest, and have no default; and the provider whose files they are.
    let text = [
        "attestation_roots = ",
        "password_file = ",
        "issuer = \"https://people.",
    ]
    .iter()
    .fold(everything_set(), |text, line| {
        text.replace(&format!("\n{line}"), &format!("\n# {line}"))
    });
    let mut set = load(&text);
    let plain = load(example());
    assert!(
        set.institution.help_phone.is_some() && plain.institution.help_phone.is_none(),
        "{shown:?}"
    );
    assert!(set.tls.is_some() && plain.tls.is_none(), "{shown:?}");
    set.institution.help_phone = None;
    set.institution.documentation_uri = None;
    set.institution.policy_uri = None;
    set.institution.terms_uri = None;
    set.server.drain = plain.server.drain;
    set.tls = None;
    set.mtls = None;
    assert!(set.mail.is_some() && plain.mail.is_none(), "{shown:?}");
    set.mail = None;
    set.outbound.ca_file = None;
    // That of SQLite is another.
    set.server.drain = plain.server.drain;
    set.server
        .admin_socket
        .clone_from(&plain.server.admin_socket);
    assert_eq!(format!("{set:?}"), format!("{plain:?}"));
}

#[test]
fn every_setting_is_in_the_example_file() {
    let source = include_str!("../config/file.rs");
    let source = source.split("#[cfg(test)]").next().unwrap();
    let text = everything_set();
    let mut checked = 0;
    for field in source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub "))
    {
        let Some((name, kind)) = field.split_once(": ") else {
            continue;
        };
        if name.contains(' ') {
            continue;
        }
        let present = if kind.ends_with("File>,") {
            text.contains(&format!("\n# [[{name}]]\n"))
        } else if kind.ends_with("File,") {
            text.contains(&format!("\n[{name}]\n"))
        } else {
            text.contains(&format!("\n{name} = "))
        };
        assert!(present, "{name} is not in countersign.example.toml");
        checked += 1;
    }
    assert!(checked > 20, "only {checked} settings were found");
}

#[test]
fn the_remedy_of_an_error_begins_after_its_own_semicolon() {
    for (sentence, what, remedy) in [
        ("it is broken; mend it", "it is broken", Some("mend it")),
        ("a (b; c) is; d; e", "a (b; c) is", Some("d; e")),
        (
            "the URL \"x; y\" is none; write another",
            "the URL \"x; y\" is none",
            Some("write another"),
        ),
        ("only one (with; this)", "only one (with; this)", None),
    ] {
        let json: serde_json::Value =
            serde_json::from_str(&super::Failed(sentence.to_owned()).json()).unwrap();
        assert_eq!(json["error"]["what"], what);
        assert_eq!(json["error"]["remedy"].as_str(), remedy);
    }
}
