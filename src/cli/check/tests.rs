//! Each finding is made by what it is about, and by nothing else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rules::time::Timestamp;

use super::files::Role::{Database, Folder, Secret, Settings, Trusted};
use super::finding::{Finding, KINDS};
use super::{files, installation, listener, machine, settings, trust};
use crate::config::{Config, File};
use crate::flows::inspect::{ClientFact, Facts, KeyFact};
use crate::flows::rotate_keys;
use crate::server::tls::Certificate;
use crate::store::inspect::Engine;
use crate::store::schema_version;
use crate::trust::Ending;

const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);
const ISSUER: &str = "https://login.bank.example";

fn config(change: &str) -> Config {
    let text = format!(
        "issuer = \"{ISSUER}\"\n[database]\nurl = \"sqlite:/x/x.db\"\n[vault]\nroot_key_file = \"/y/root.key\"\n\
         [institution]\nname = \"Bank\"\n{change}"
    );
    let name = crate::rng::uuid(Timestamp::default()).unwrap();
    let path = std::env::temp_dir().join(format!("countersign-check-{name}.toml"));
    std::fs::write(&path, text).unwrap();
    let config = File::load(&path).and_then(|file| file.check().map_err(|why| why.to_string()));
    std::fs::remove_file(&path).unwrap();
    config.unwrap()
}

fn ids(found: &[Finding]) -> Vec<&'static str> {
    for one in found {
        assert!(!one.why.is_empty() && !one.remedy.is_empty(), "{one:?}");
    }
    found.iter().map(|one| one.id).collect()
}

fn good() -> Facts {
    let key = |alg: &str, state: &str| KeyFact {
        alg: alg.to_owned(),
        state: state.to_owned(),
        changed_at: NOW,
    };
    Facts {
        at: NOW,
        engine: Engine {
            name: "PostgreSQL".to_owned(),
            encrypted: Some(true),
            durable: true,
            ..Engine::default()
        },
        schema: schema_version(),
        issuer: Some(ISSUER.to_owned()),
        newest_backup: Some(NOW),
        audit: Some(Ok(7)),
        keys: rotate_keys::ALWAYS
            .iter()
            .flat_map(|alg| ["active", "next"].map(|state| key(alg.as_str(), state)))
            .collect(),
        clients: vec![app()],
        ..Facts::default()
    }
}

fn app() -> ClientFact {
    ClientFact {
        id: "app".to_owned(),
        profile: "oauth21".to_owned(),
        confidential: true,
        secrets: 1,
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        details_types: Vec::new(),
        enabled: true,
        changed_at: NOW,
    }
}

fn with(change: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = good();
    change(&mut facts);
    ids(&installation::judge(&facts, ISSUER))
}

fn with_client(change: impl FnOnce(&mut ClientFact)) -> Vec<&'static str> {
    with(|facts| change(&mut facts.clients[0]))
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert!(with(|_| {}).is_empty());
    assert!(settings::judge(&config("")).is_empty());
    let quiet = machine::Seen {
        now: NOW,
        synchronised: Some(true),
        ..machine::Seen::default()
    };
    assert!(machine::judge(&quiet).is_empty());
    assert!(files::judge(&files::Seen::default()).is_empty());
}

#[test]
fn each_weak_setting_is_found() {
    for (change, id) in [
        (
            "[server]\nlisten = \"0.0.0.0:1\"\nplain_http = \"anywhere\"\n",
            "settings.plain_http",
        ),
        ("[people]\nargon2_passes = 1\n", "settings.argon2_cost"),
        ("[people]\nargon2_memory_kib = 64\n", "settings.argon2_cost"),
        (
            "[lifetimes]\naccess_token_seconds = 7200\n",
            "settings.long_tokens",
        ),
        ("[log]\nfilter = \"debug\"\n", "settings.log_verbose"),
    ] {
        assert_eq!(ids(&settings::judge(&config(change))), [id], "{change}");
    }
}

#[test]
fn each_fault_of_the_database_is_found() {
    assert_eq!(with(|f| f.schema = 0), ["database.empty"]);
    assert_eq!(with(|f| f.schema += 1), ["database.schema_newer"]);
    if schema_version() > 1 {
        assert_eq!(with(|f| f.schema -= 1), ["database.schema_older"]);
    }
    assert_eq!(
        with(|f| f.issuer = Some("https://x.example".to_owned())),
        ["database.other_issuer"]
    );
    assert_eq!(
        with(|f| f.engine.encrypted = Some(false)),
        ["database.unencrypted"]
    );
    assert!(
        with(|f| f.engine.encrypted = None).is_empty(),
        "a local socket"
    );
    assert_eq!(with(|f| f.engine.superuser = true), ["database.superuser"]);
    assert_eq!(
        with(|f| f.engine.standby_behind = true),
        ["database.standby_behind"]
    );
    let extended = with(|f| {
        f.schema += 1;
        f.engine.serves = true;
    });
    assert_eq!(extended, ["database.schema_extended"]);
    assert_eq!(
        with(|f| f.engine.may_change_events = true),
        ["database.may_change_events"]
    );
    assert_eq!(with(|f| f.engine.durable = false), ["database.not_durable"]);
    assert_eq!(
        with(|f| f.sealed = Some("x".to_owned())),
        ["vault.unreadable"]
    );
}

#[test]
fn each_fault_of_keys_log_and_backups_is_found() {
    assert_eq!(with(|f| drop(f.keys.remove(0))), ["keys.missing"]);
    assert_eq!(with(|f| drop(f.keys.remove(9))), ["keys.missing"]);
    let year = Duration::from_hours(24 * 366);
    assert_eq!(
        with(|f| f.keys[0].changed_at = NOW.minus(year)),
        ["keys.old"]
    );
    assert_eq!(
        with(|f| f.audit = Some(Err("leaf 3".to_owned()))),
        ["audit.altered"]
    );
    assert_eq!(with(|f| f.unsealed = 1_000_000), ["audit.unsealed"]);
    assert_eq!(with(|f| f.newest_backup = None), ["backup.none"]);
    let week = Duration::from_hours(24 * 7);
    assert_eq!(
        with(|f| f.newest_backup = Some(NOW.minus(week))),
        ["backup.old"]
    );
}

#[test]
fn mail_that_reached_nobody_is_found() {
    assert_eq!(with(|f| f.mails_given_up = 1), ["mail.not_sent"]);
    let before = |minutes| NOW.minus(Duration::from_mins(minutes));
    assert_eq!(with(|f| f.oldest_mail = Some(before(61))), ["mail.waiting"]);
    assert!(with(|f| f.oldest_mail = Some(before(59))).is_empty());
}

#[test]
fn each_weak_client_is_found() {
    assert_eq!(
        with_client(|c| c.profile = "compat".to_owned()),
        ["client.compat"]
    );
    assert_eq!(with_client(|c| c.confidential = false), ["client.public"]);
    let year = Duration::from_hours(24 * 366);
    assert_eq!(
        with_client(|c| c.changed_at = NOW.minus(year)),
        ["client.old_secret"]
    );
    for (uri, id) in [
        ("http://127.0.0.1/cb", "client.redirect_loopback"),
        ("http://app.example/cb", "client.redirect_http"),
        ("com.example.app:/cb", "client.redirect_scheme"),
    ] {
        assert_eq!(
            with_client(|c| c.redirect_uris = vec![uri.to_owned()]),
            [id]
        );
    }
    let disabled = with_client(|c| {
        c.confidential = false;
        c.enabled = false;
    });
    assert!(disabled.is_empty());
}

#[test]
fn each_fault_of_the_machine_is_found() {
    let with = |change: &dyn Fn(&mut machine::Seen)| {
        let mut seen = machine::Seen {
            now: NOW,
            connections: 4096,
            ..machine::Seen::default()
        };
        change(&mut seen);
        ids(&machine::judge(&seen))
    };
    let later = Some(NOW.plus(Duration::from_hours(1)));
    assert_eq!(
        with(&|s| s.synchronised = Some(false)),
        ["clock.not_synchronised"]
    );
    assert!(with(&|s| s.synchronised = None).is_empty());
    assert_eq!(with(&|s| s.newest_event = later), ["clock.behind"]);
    assert_eq!(with(&|s| s.binary = later), ["clock.behind"]);
    assert_eq!(
        with(&|s| s.database_ahead = Some(-5000)),
        ["clock.database"]
    );
    assert_eq!(with(&|s| s.free = Some(1 << 20)), ["disk.space"]);
    assert_eq!(
        with(&|s| s.file_system = Some("nfs4".to_owned())),
        ["disk.network"]
    );
    assert!(with(&|s| s.file_system = Some("ext4".to_owned())).is_empty());
    assert_eq!(with(&|s| s.open_files = Some(1024)), ["limits.open_files"]);
    assert!(with(&|s| s.open_files = Some(65_536)).is_empty());
}

#[test]
fn each_open_file_is_found() {
    let with = |role, mode, uid| {
        let seen = files::Seen {
            entries: vec![files::Entry {
                path: PathBuf::from("/x"),
                role,
                mode,
                uid,
            }],
            owner: 7,
            ..files::Seen::default()
        };
        ids(&files::judge(&seen))
    };
    assert_eq!(with(Settings, 0o666, 7), ["files.config_writable"]);
    assert_eq!(with(Settings, 0o644, 7), ["files.config_readable"]);
    assert!(with(Settings, 0o640, 0).is_empty());
    assert_eq!(with(Folder, 0o777, 7), ["files.folder_open"]);
    assert!(with(Folder, 0o1777, 0).is_empty(), "the sticky bit");
    assert_eq!(with(Database, 0o644, 7), ["files.database_readable"]);
    assert_eq!(with(Database, 0o600, 8), ["files.owner"]);
    assert_eq!(with(Settings, 0o600, 8), ["files.owner"]);
    for open in [0o644, 0o620] {
        assert_eq!(with(Secret, open, 7), ["files.secret_open"]);
    }
    assert!(with(Secret, 0o640, 0).is_empty());
    assert_eq!(with(Trusted, 0o664, 7), ["files.trust_writable"]);
    assert!(with(Trusted, 0o644, 0).is_empty());
    assert_eq!(with(Secret, 0o600, 8), ["files.owner"]);
    let seen = files::Seen {
        root_key: Some("gone".to_owned()),
        together: true,
        ..files::Seen::default()
    };
    assert_eq!(
        ids(&files::judge(&seen)),
        ["files.root_key", "files.root_key_place"]
    );
}

#[test]
fn each_fault_of_the_certificate_is_found() {
    let certificate = |days: u64, of_another_name| Certificate {
        subject: "CN=login.bank.example".to_owned(),
        issuer: "CN=Bank CA".to_owned(),
        serial: "01".to_owned(),
        not_after: NOW.plus(Duration::from_secs(days * 24 * 3600)),
        of_another_name,
    };
    let found = |seen| ids(&listener::judge(seen, &listener::OWN, NOW));
    assert!(found(Ok(None)).is_empty());
    assert!(found(Ok(Some(certificate(31, false)))).is_empty());
    assert_eq!(found(Ok(Some(certificate(29, false)))), ["tls.ends_soon"]);
    assert_eq!(
        found(Ok(Some(certificate(3, true)))),
        ["tls.ends_this_week", "tls.other_name"]
    );
    assert_eq!(found(Err("no key".to_owned())), ["tls.refused"]);
    let found = |seen| ids(&listener::judge(seen, &listener::ASKING, NOW));
    assert!(found(Ok(Some(certificate(31, false)))).is_empty());
    assert_eq!(found(Ok(Some(certificate(29, false)))), ["mtls.ends_soon"]);
    assert_eq!(
        found(Ok(Some(certificate(3, false)))),
        ["mtls.ends_this_week"]
    );
    assert_eq!(found(Err("no key".to_owned())), ["mtls.refused"]);
}

#[test]
fn each_fault_of_authorities_and_their_lists_is_found() {
    let ending = |is_list, hours: i64| Ending {
        file: PathBuf::from("/ca"),
        name: "CN=Partners".to_owned(),
        is_list,
        at: Some(Timestamp::from_secs(NOW.secs() + hours * 3600)),
    };
    let found = |all: &[Ending]| ids(&trust::judge(Ok(all.to_vec()), NOW));
    assert!(found(&[]).is_empty());
    let (authority, list) = (ending(false, 48), ending(true, 48));
    assert!(found(&[authority.clone(), list.clone()]).is_empty());
    let endless = Ending {
        at: None,
        ..list.clone()
    };
    assert!(found(&[authority.clone(), endless]).is_empty());
    assert_eq!(found(std::slice::from_ref(&authority)), ["mtls.no_lists"]);
    for (spoilt, id) in [
        ([ending(false, -1), list], "mtls.authority_over"),
        ([authority.clone(), ending(true, 0)], "mtls.list_over"),
        ([authority, ending(true, 23)], "mtls.list_ends_soon"),
    ] {
        assert_eq!(found(&spoilt), [id]);
    }
    let refused = trust::judge(Err("it cannot be read".to_owned()), NOW);
    assert_eq!(ids(&refused), ["mtls.authorities_refused"]);
}

#[test]
fn types_of_details_that_do_not_meet_are_found() {
    let config = config(
        "[[authorization_details]]\nname = \"payment\"\n\
         schema = '{\"type\": \"object\", \"properties\": {}}'\n\
         words = { en = { title = \"Pay\" }, de = { title = \"Zahlen\" } }\n",
    );
    let with = |types: &[&str], enabled| {
        let mut facts = good();
        facts.clients[0].details_types = types.iter().map(|name| (*name).to_owned()).collect();
        facts.clients[0].enabled = enabled;
        ids(&installation::details(&facts, &config.details))
    };
    assert!(with(&["payment"], true).is_empty());
    assert_eq!(with(&[], true), ["settings.unused_details"]);
    assert_eq!(with(&["payment"], false), ["settings.unused_details"]);
    assert_eq!(with(&["payment", "gone"], true), ["client.unknown_details"]);
    // Where no client can be seen, none is missed.
    assert!(installation::details(&Facts::default(), &config.details).is_empty());
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.0).collect();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn the_servers_account_is_whose_folder_the_server_writes_to() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let id = crate::rng::uuid(Timestamp::default()).unwrap();
    let folder = std::env::temp_dir().join(format!("countersign-account-{id}"));
    let (data, socket) = (folder.join("data"), folder.join("run"));
    for folder in [&data, &socket] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mine = std::fs::metadata(&data).unwrap().uid();
    let (ours, theirs) = if mine == 0 {
        (54_321, 54_322)
    } else {
        (mine, mine)
    };
    if mine == 0 {
        chown(&data, Some(ours), None).unwrap();
        chown(&socket, Some(theirs), None).unwrap();
    } else {
        eprintln!("only root gives folders away: both are of one account here");
    }
    let mut config = config("");
    config.server.admin_socket = socket.join("countersign.sock");
    config.database = crate::config::Database::Sqlite(data.join("x.db"));
    assert_eq!(files::server_account(&config), ours);
    // What belongs to somebody else is found, root's settings and keys are not.
    std::fs::write(data.join("x.db"), "").unwrap();
    let seen = files::look(&folder.join("none.toml"), &config);
    let wrong = ids(&files::judge(&seen)).contains(&"files.owner");
    assert_eq!(wrong, mine == 0);
    let url = crate::secret::Secret::new("postgres://x/x".to_owned());
    config.database = crate::config::Database::Postgres(url);
    assert_eq!(files::server_account(&config), theirs);
    config.server.admin_socket = folder.join("gone").join("x.sock");
    assert_eq!(files::server_account(&config), 0, "nobody to compare with");
    std::fs::remove_dir_all(&folder).unwrap();
}
