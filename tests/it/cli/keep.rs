//! Backup, restore, check and the audit log, as an operator commands them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Installation, command, json, text};
use crate::support::postgres::Cluster;

#[test]
fn a_backup_is_made_with_and_without_a_server_and_restored() {
    let (new, _) = Installation::new();
    let serving = new.serve();
    let folder = new.folder.join("backups");
    fs::create_dir(&folder).unwrap();
    let to = folder.display();
    let made = new.done(&format!("backup --to {to} --keep 2"));
    let file = made["backup"]["file"].as_str().unwrap().to_owned();
    assert_eq!(
        new.done(&format!("backup verify {file}"))["backup"]["rows"],
        made["backup"]["rows"]
    );
    let running = new.refused(&format!("restore {file}"));
    assert!(running.contains("stop the server"), "{running}");
    serving.stop();
    let other = new.folder.join("other.csbackup");
    new.done(&format!("backup --to {}", other.display()));
    assert!(
        new.refused(&format!("backup --to {}", other.display()))
            .contains("not overwritten")
    );

    new.done("client add --id late --name Late --grant none");
    let issuer = format!("http://localhost:{}", new.port);
    assert!(
        new.refused(&format!("restore {file}"))
            .contains("--replace")
    );
    let done = new.done(&format!("restore {file} --replace {issuer}"));
    assert_eq!(done["restored"]["signing_keys_retired"], 4);
    let kept = done["restored"]["replaced_kept_as"].as_str().unwrap();
    assert!(Path::new(kept).exists());
    assert_eq!(
        new.done("client list")["clients"].as_array().unwrap().len(),
        0
    );
    assert_eq!(new.done("user show ada")["user"]["state"], "invited");
    // A lost database, and the file that is left.
    fs::remove_file(new.folder.join("countersign.db")).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(new.folder.join(format!("countersign.db{end}")));
    }
    new.done(&format!("restore {file}"));
    new.serve().stop();
    assert_eq!(new.done("audit verify")["audit"]["intact"], true);
}

/// Begins a restore, and kills it while it waits for the rest of the file.
fn killed_half_way(new: &Installation, backup: &Path, issuer: &str) {
    let fifo = new.folder.join("fifo");
    let make = || {
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
    };
    make();
    let bytes = fs::read(backup).unwrap();
    let mut command = command();
    command.arg("--config").arg(new.settings());
    command.args(["restore", fifo.to_str().unwrap(), "--replace", issuer]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut first = fs::File::options().write(true).open(&fifo).unwrap();
    // It reads the file twice; the second time from another pipe, which never ends.
    fs::remove_file(&fifo).unwrap();
    make();
    first.write_all(&bytes).unwrap();
    drop(first);
    let mut second = fs::File::options().write(true).open(&fifo).unwrap();
    second.write_all(&bytes[..bytes.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(second);
    fs::remove_file(&fifo).unwrap();
}

#[test]
fn a_restore_that_is_killed_leaves_everything_as_it_was() {
    let (new, _) = Installation::new();
    let issuer = format!("http://localhost:{}", new.port);
    let file = new.folder.join("one.csbackup");
    new.done(&format!("backup --to {}", file.display()));
    let restore = format!("restore {} --replace {issuer}", file.display());
    let check = || {
        new.done("client add --id late --name Late --grant none");
        killed_half_way(&new, &file, &issuer);
        assert_eq!(new.done("client list")["clients"][0]["client_id"], "late");
        assert_eq!(new.done("audit verify")["audit"]["intact"], true);
        new.done(&restore);
        assert_eq!(
            new.done("client list")["clients"].as_array().unwrap().len(),
            0
        );
    };
    check();
    // The same on PostgreSQL, to which the backup moves the installation.
    let url = Cluster::shared().create_database(&format!("killed_{}", new.port), None);
    let settings = fs::read_to_string(new.settings()).unwrap();
    let lines: Vec<String> = settings
        .lines()
        .map(|line| {
            if line.starts_with("url = ") {
                format!("url = {url:?}")
            } else {
                line.to_owned()
            }
        })
        .collect();
    fs::write(new.settings(), lines.join("\n")).unwrap();
    let moved = new.done(&format!("restore {}", file.display()));
    assert_eq!(moved["restored"]["signing_keys_retired"], 4);
    check();
}

#[test]
fn check_finds_what_is_wrong_with_and_without_a_server() {
    let (new, _) = Installation::new();
    let ids = |line: &str, code: i32| -> Vec<String> {
        let output = new.run(&format!("--json {line}"));
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        let found = json(&output);
        let found = found["findings"].as_array().unwrap();
        let id = |one: &serde_json::Value| one["id"].as_str().unwrap().to_owned();
        found.iter().map(id).collect()
    };
    let serving = new.serve();
    let found = ids("check", 1);
    for id in [
        "backup.none",
        "settings.issuer_http",
        "settings.argon2_cost",
    ] {
        assert!(found.iter().any(|one| one == id), "{id}: {found:?}");
    }
    serving.stop();
    new.done(&format!(
        "backup --to {}",
        new.folder.join("one.csbackup").display()
    ));
    let found = ids("check --fail-on critical", 0);
    assert!(!found.iter().any(|one| one == "backup.none"), "{found:?}");
    fs::rename(new.folder.join("root.key"), new.folder.join("gone")).unwrap();
    let found = ids("check --fail-on critical", 1);
    for id in ["files.root_key", "vault.unreadable"] {
        assert!(found.iter().any(|one| one == id), "{id}: {found:?}");
    }
    fs::remove_file(new.folder.join("countersign.db")).unwrap();
    assert!(ids("check", 1).iter().any(|one| one == "database.empty"));
    assert!(
        !new.folder.join("countersign.db").exists(),
        "looking made the file"
    );
    fs::write(new.settings(), "issuer = 7").unwrap();
    assert_eq!(ids("check", 1), ["settings.refused"]);
}

#[test]
fn the_audit_log_is_listed_exported_and_verified() {
    let (new, _) = Installation::new();
    let serving = new.serve();
    new.done("client add --id api --name API --grant none");
    let listed = new.done("audit list --client api --since 1h");
    let event = &listed["events"][0];
    assert_eq!(event["kind"], "client.created");
    let operator = event["detail"]["operator"].as_str().unwrap();
    assert!(operator.starts_with("uid="), "{operator}");
    // Reading is written down.
    let read = new.done("audit list --kind audit.read");
    assert_eq!(read["events"][0]["client"], "api");
    assert!(
        new.refused("audit list --kind nonsense")
            .contains("sign_in")
    );
    assert!(new.refused("audit list --user nobody").contains("nobody"));
    let key = new.done("audit key");
    assert!(key["audit_key"].as_str().unwrap().contains("/audit+"));
    assert!(new.done("audit checkpoint").get("checkpoint").is_some());
    let note = new.folder.join("note");
    let export = format!("audit export --checkpoint {}", note.display());
    // What was written a moment ago is sealed within a second.
    let mut exports = (0..100).map(|_| {
        let exported = new.run(&export);
        assert_eq!(
            exported.status.code(),
            Some(0),
            "{}",
            text(&exported.stderr)
        );
        text(&exported.stdout)
    });
    let lines = exports
        .find(|lines| lines.contains("client.created"))
        .expect("the event is not sealed");
    let size: usize = fs::read_to_string(&note)
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(lines.lines().count(), size);
    // An auditor needs nothing but the lines, the note and the key.
    let leaves: Vec<_> = lines
        .lines()
        .map(|line| rules::audit::merkle::leaf_hash(line.as_bytes()))
        .collect();
    let verifier = key["audit_key"].as_str().unwrap().parse().unwrap();
    let checkpoint =
        rules::audit::Checkpoint::open(&fs::read_to_string(&note).unwrap(), &[verifier]).unwrap();
    assert_eq!(rules::audit::merkle::root(&leaves), checkpoint.root);
    let verified = new.done(&format!("audit verify --checkpoint {}", note.display()));
    assert_eq!(verified["audit"]["intact"], true);
    serving.stop();
}

#[test]
fn errors_are_json_when_asked_for() {
    let (new, _) = Installation::new();
    let output = new.run("--json client show nobody");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(
        error["error"]["what"].as_str().unwrap().contains("nobody"),
        "{error}"
    );
    assert!(
        error["error"]["remedy"]
            .as_str()
            .unwrap()
            .contains("client list"),
        "{error}"
    );
}

#[test]
fn why_postgresql_cannot_be_used_is_said() {
    let (new, _) = Installation::new();
    let with = |url: &str| {
        let output = command()
            .arg("--config")
            .arg(new.settings())
            .env("COUNTERSIGN__DATABASE__URL", url)
            .args(["client", "list"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let refused = with("postgres://a:b@127.0.0.1:1/x");
    assert!(
        refused.contains("refused") && refused.contains("127.0.0.1:1"),
        "{refused}"
    );
    assert!(!refused.contains("timed out"), "{refused}");
    let known = Cluster::shared().url("no_such_database");
    let unknown = with(&known);
    assert!(unknown.contains("createdb"), "{unknown}");
    let user = known.replace("user=postgres", "user=nobody_here");
    assert!(with(&user).contains("nobody_here"));
    let tls = known
        .replace("sslmode=disable", "sslmode=require")
        .replace("no_such_database", "postgres");
    let tls = with(&tls);
    assert!(tls.contains("TLS") || tls.contains("tls"), "{tls}");
}

#[test]
fn a_demo_does_not_settle_among_other_files() {
    let folder = std::env::temp_dir().join(format!("cs-demo-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("thesis.txt"), "years of work").unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let port = port.min(65_000).to_string();
    let output = command()
        .args(["demo", "--port-base", &port, "--data"])
        .arg(&folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("--data") || said.contains("port"), "{said}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn scopes_that_no_resource_has_are_named() {
    let (new, _) = Installation::new();
    let line = "client add --id app --name App --redirect-uri https://app.example/cb --scope";
    let mut words: Vec<&str> = line.split(' ').collect();
    words.push("openid accounts:raed");
    let output = command()
        .arg("--config")
        .arg(new.settings())
        .args(words)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let warned = text(&output.stderr);
    assert!(
        warned.contains("accounts:raed") && !warned.contains("openid;"),
        "{warned}"
    );
}
