//! The systemd unit, judged by systemd's own tools where they are installed.

use std::fs;
use std::process::Command;

use super::root;

fn analyze(arguments: &[&str]) -> Option<String> {
    let unit = root().join("packaging/countersign.service");
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output();
    let Ok(output) = output else {
        eprintln!("not tried: systemd-analyze is missing");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8(text).unwrap())
}

#[test]
fn systemd_finds_no_mistake_in_it() {
    let Some(said) = analyze(&["verify"]) else {
        return;
    };
    let complaints: Vec<_> = said
        .lines()
        // On this machine the package is not installed.
        .filter(|line| line.contains("countersign") && !line.contains("is not executable"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn its_exposure_is_low() {
    let Some(said) = analyze(&["security", "--offline=true", "--no-pager"]) else {
        return;
    };
    let level = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap();
    let level: f32 = level
        .split(": ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(level < 2.0, "{said}");
}

#[test]
fn what_it_names_is_what_the_program_does() {
    let unit = fs::read_to_string(root().join("packaging/countersign.service")).unwrap();
    for line in [
        "Type=notify",
        "WatchdogSec=30",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "LoadCredential=root.key:/etc/countersign/root.key",
        "NoNewPrivileges=true",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=true",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let settings = fs::read_to_string(root().join("countersign.example.toml")).unwrap();
    assert!(settings.contains("# root_key_credential = \"root.key\""));
}
