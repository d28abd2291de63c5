//! testssl.sh (Debian's package) against the listener: nothing above low.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::server::Running;
use crate::support::certificates::Algorithm;

/// What it finds about the certificate authority of the test, and not about the listener.
const OF_THE_TEST: [&str; 4] = [
    "cert_validityPeriod",
    "cert_caIssuers",
    "DNS_CAArecord",
    "scanTime",
];

async fn audited(algorithm: Algorithm) {
    let running = Running::over_tls(algorithm).await;
    let folder = running.directory.path().to_owned();
    let report = folder.join("testssl.json");
    fs::write(folder.join("authority.pem"), running.authority.pem()).unwrap();
    let name = ["testssl", "testssl.sh"].into_iter().find(|name| {
        let found = Command::new("which").arg(name).output();
        found.is_ok_and(|found| found.status.success())
    });
    let mut command = Command::new(name.expect("testssl.sh is installed; tests/run does it"));
    command
        .args([
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "batch",
            "--nodns",
            "min",
        ])
        .args(["--fast", "--ip", "127.0.0.1", "--add-ca"])
        .arg(folder.join("authority.pem"))
        .arg("--jsonfile")
        .arg(&report)
        .arg(format!("localhost:{}", running.address.port()));
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let said = String::from_utf8_lossy(&output.unwrap().unwrap().stdout).into_owned();
    let findings = read(&report);
    assert!(findings.len() > 60, "{said}");
    let bad: Vec<_> = findings
        .iter()
        .filter(|finding| !OF_THE_TEST.contains(&finding["id"].as_str().unwrap()))
        .filter(|finding| {
            let severity = finding["severity"].as_str().unwrap();
            // WARN is what the tool itself could not try, such as a cipher that Debian's OpenSSL lacks.
            !matches!(severity, "OK" | "INFO" | "LOW" | "WARN")
        })
        .collect();
    assert!(bad.is_empty(), "{algorithm:?}: {bad:#?}");
    for (id, expected) in [
        ("TLS1_3", "OK"),
        ("TLS1_2", "OK"),
        ("SSLv3", "OK"),
        ("HSTS_time", "OK"),
    ] {
        let found = findings.iter().find(|finding| finding["id"] == id).unwrap();
        assert_eq!(found["severity"], expected, "{found}");
    }
    running.stop().await;
}

fn read(report: &Path) -> Vec<Value> {
    let text = fs::read_to_string(report).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes; tests/run --full runs it"]
async fn it_finds_nothing_above_low_with_an_rsa_certificate() {
    audited(Algorithm::Rsa).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes; tests/run --full runs it"]
async fn it_finds_nothing_above_low_with_an_ecdsa_certificate() {
    audited(Algorithm::Ecdsa).await;
}
