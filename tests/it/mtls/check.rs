//! What `countersign check` says of authorities and their lists.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::support::client_certificates::ClientAuthority;
use crate::support::template::Directory;

/// The findings about client certificates, with what each says.
fn findings(folder: &Directory, revocation_files: &str) -> Vec<(String, String)> {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "issuer = \"https://login.bank.example\"\n[database]\nurl = \"sqlite:{}\"\n\
         [vault]\nroot_key_file = \"{}\"\n[proxy]\npeers = [\"127.0.0.1\"]\n\
         [mtls]\nfrom_proxy = true\nurl = \"https://mtls.bank.example\"\n\
         authorities_file = \"{}\"\nrevocation_files = [{revocation_files}]\n",
        at("countersign.db"),
        at("root.key"),
        at("ca.pem")
    );
    fs::write(at("countersign.toml"), settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let file = at("countersign.toml");
    let answer = command.args(["--config", &file, "--json", "check"]);
    let told: Value = serde_json::from_slice(&answer.output().unwrap().stdout).unwrap();
    let all = told["findings"].as_array().unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    all.iter()
        .map(|one| (text(one, "id"), text(one, "what")))
        .filter(|(id, _)| id.starts_with("mtls.") || id == "files.trust_writable")
        .collect()
}

#[test]
fn check_tells_of_authorities_and_lists_that_are_over_damaged_or_open() {
    let folder = Directory::new();
    let at = |name: &str| folder.path().join(name);
    let authority = ClientAuthority::new();
    fs::write(at("ca.pem"), &authority.pem).unwrap();
    let lists = format!("\"{}\"", at("a.crl").display());
    let ids = |lists: &str| -> Vec<String> {
        let found = findings(&folder, lists);
        found.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(ids(""), ["mtls.no_lists"]);
    assert_eq!(ids(&lists), ["mtls.authorities_refused"]);
    fs::write(at("a.crl"), authority.list(&[], 2099)).unwrap();
    assert!(ids(&lists).is_empty());
    fs::write(at("a.crl"), authority.list(&[], 2026)).unwrap();
    let found = findings(&folder, &lists);
    let [(id, what)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(id, "mtls.list_over");
    assert!(what.contains("Partners of the bank"), "{what}");
    fs::write(at("a.crl"), "rubbish").unwrap();
    assert_eq!(ids(&lists), ["mtls.authorities_refused"]);
    fs::write(at("a.crl"), authority.list(&[], 2099)).unwrap();
    fs::set_permissions(at("ca.pem"), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(ids(&lists), ["files.trust_writable"]);
}
