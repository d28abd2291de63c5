//! The pages of `docs/operate/`, typed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Machine, blocks, root};
use crate::support::postgres::Cluster;

#[test]
fn one_machine_its_upgrade_and_its_incidents() {
    let machine = Machine::new();
    let page = blocks("bare-metal.md");
    let (renewal, setup) = page.split_last().unwrap();
    let printed = machine.types(&setup.join("\n"));
    assert!(
        printed.contains("https://login.bank.example/invite/cs_iv_"),
        "{printed}"
    );
    let mode = |name: &str| {
        fs::metadata(machine.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("etc/root.key"), 0o600);
    assert_eq!(mode("etc/tls/key.pem"), 0o640);
    assert_eq!(mode("safe/countersign-root.key"), 0o400);
    let serial = "curl --verbose --fail https://login.bank.example/readyz 2>&1";
    machine.certificate();
    machine.types(renewal);
    let log = fs::read_to_string(machine.path("log")).unwrap();
    assert!(log.contains("the certificate was read anew"), "{log}");
    assert!(machine.types(serial).contains("TLSv1.3"));
    machine.types(&blocks("upgrade.md").join("\n"));
    let [restart, ..] = &blocks("several-nodes.md")[..] else {
        panic!("no command");
    };
    machine.types(restart);
    machine.types(
        "countersign client add --id pocket-budget --name 'Pocket Budget' \
         --redirect-uri https://app.example/callback --scope openid",
    );
    machine.types(&blocks("incidents.md").join("\n"));
    let gone = machine.command("curl --fail https://login.bank.example/healthz");
    assert!(
        !{ gone }.output().unwrap().status.success(),
        "it was stopped"
    );
}

#[test]
fn behind_nginx_the_settings_are_written_by_init() {
    let [near, far] = blocks("nginx.md").try_into().unwrap();
    for (typed, peer) in [(near, "127.0.0.1/32"), (far, "10.0.0.7")] {
        let machine = Machine::new();
        machine.types(&typed);
        let settings = fs::read_to_string(machine.path("etc/countersign.toml")).unwrap();
        assert!(
            settings.contains(&format!("peers = [\"{peer}\"]")),
            "{settings}"
        );
        machine.types("countersign user list");
    }
}

#[test]
fn postgresql_gives_the_server_no_way_to_change_the_audit_log() {
    let cluster = Cluster::shared();
    let machine = Machine::new();
    let as_role = |role: &str| {
        let url = cluster.url("countersign");
        url.replace("user=postgres", &format!("user={role}"))
    };
    let (owner, server) = (as_role("countersign_owner"), as_role("countersign"));
    let program = |name: &str| cluster.program(name).get_program().to_owned();
    let host = owner
        .split("host=")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap()
        .to_owned();
    // Passwords are asked for at a terminal, which a test has not.
    machine.stand_in(
        "psql",
        "[[ ${*: -1} == '\\password '* ]] && exit 0\nexec $REAL_PSQL --quiet --set ON_ERROR_STOP=1 \"$@\"",
    );
    let run = |typed: &str, database: &str| {
        let typed = typed.replace(
            "postgres://countersign_owner:OWNER@db.bank.example/countersign?sslmode=verify-full",
            &owner,
        );
        let mut command = machine.command(&typed);
        command
            .env("PGHOST", &host)
            .env("PGPORT", "5432")
            .env("PGUSER", "postgres")
            .env("REAL_PSQL", program("psql"));
        if !database.is_empty() {
            command.env("COUNTERSIGN__DATABASE__URL", database);
        }
        let output = command.output().unwrap();
        machine.succeeded(&typed, &output)
    };
    let page = blocks("postgresql.md");
    let mut path = machine.path("bin").into_os_string();
    path.push("/createdb");
    std::os::unix::fs::symlink(program("createdb"), path).unwrap();
    run(&page.join("\n"), "");
    // The server runs as its own role, and finds nothing to make.
    run(
        "systemctl enable --now countersign\ncountersign user list",
        &server,
    );
    run(
        "countersign client add --id api --name API --grant none",
        &server,
    );
    for refused in [
        "UPDATE audit_events SET id = id",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM audit_leaves",
        "DELETE FROM audit_checkpoints",
        "DROP TABLE audit_events",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "CREATE TABLE mine (id bigint)",
    ] {
        let output = cluster
            .program("psql")
            .arg(&server)
            .args(["--command", refused])
            .output()
            .unwrap();
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{refused}");
        assert!(
            why.contains("permission denied") || why.contains("must be owner"),
            "{refused}: {why}"
        );
    }
    run("systemctl stop countersign", &server);
}

#[test]
fn links_of_the_pages_lead_to_files() {
    let folder = root().join("docs/operate");
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            assert!(
                folder.join(target).exists(),
                "{} points to {target}",
                path.display()
            );
        }
    }
}
