//! Clients and resources, changed, removed and listed for auditors by the command line.

use super::{Installation, text};

const ADD: &str = "client add --id app --name App --redirect-uri https://app.example/cb \
                   --legal-entity =Budget --contact a@b.example --hosting-country SE";

/// The public key of RFC 7515 appendix A.3.
const PUBLIC_KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_client_is_changed_and_the_difference_is_shown() {
    let (new, _) = Installation::new();
    new.done(&words(ADD));
    let serving = new.serve();
    let output = new.run("client set app --scope openid --licence AISP --clear contacts");
    let shown = text(&output.stdout);
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines.contains(&"- Scopes   email offline_access openid profile"),
        "{shown}"
    );
    assert!(lines.contains(&"+ Scopes   openid"), "{shown}");
    assert!(lines.contains(&"- Contact  a@b.example"), "{shown}");
    assert!(lines.contains(&"+ Licence  AISP"), "{shown}");
    assert_eq!(lines.len(), 4, "{shown}");
    let told = new.done("client set app --name Budget --subject-type pairwise");
    assert_eq!(told["client_changed"]["before"]["client_name"], "App");
    assert_eq!(told["client_changed"]["after"]["subject_type"], "pairwise");
    let told = new.done("client set app --subject-type public");
    assert_eq!(told["client_changed"]["after"]["subject_type"], "public");
    assert!(
        new.refused("client set app --name Budget")
            .contains("nothing")
    );
    assert!(
        new.refused("client set app --clear redirect-uris")
            .contains("redirect URI")
    );
    serving.stop();
}

#[test]
fn a_client_is_removed_only_when_that_is_meant() {
    let (new, _) = Installation::new();
    new.done(&words(ADD));
    assert!(new.refused("client remove app").contains("--yes"));
    assert_eq!(
        new.done("client list")["clients"].as_array().unwrap().len(),
        1
    );
    let told = new.done("client remove app --yes");
    assert_eq!(told["client_removed"]["grants_ended"], 0);
    assert!(
        new.done("client list")["clients"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(
        new.refused("client remove app --yes")
            .contains("removed already")
    );
    assert!(new.refused(&words(ADD)).contains("choose another"));
    assert!(new.done("client show app")["client"]["removed_at"].is_string());
}

#[test]
fn the_register_is_exported_for_auditors() {
    let (new, _) = Installation::new();
    new.done(&words(ADD));
    new.done("client add --id gone --name Gone");
    new.done("client remove gone --yes");
    let csv = text(&new.run("client list --register").stdout);
    let mut lines = csv.split("\r\n");
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<_>> = lines
        .filter(|line| !line.is_empty())
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 2, "{csv}");
    let cell = |row: usize, name: &str| {
        let at = names.iter().position(|known| *known == name).unwrap();
        rows[row][at]
    };
    assert_eq!(cell(0, "client_id"), "app");
    assert_eq!(cell(0, "status"), "enabled");
    // No spreadsheet may take it for a formula.
    assert_eq!(cell(0, "legal_entity"), "'=Budget");
    assert_eq!(cell(0, "hosting_country"), "SE");
    assert_eq!(cell(0, "contacts"), "a@b.example");
    assert_eq!(cell(1, "status"), "removed");
    let told = new.done("client list --register");
    let first = told["register"][0].as_object().unwrap();
    assert_eq!(first["legal_entity"], "=Budget");
    for name in names {
        assert!(first.contains_key(name), "{name}");
    }
}

#[test]
fn a_resource_is_changed_and_removed() {
    let (new, _) = Installation::new();
    let uri = "https://api.bank.example/a";
    new.done("client add --id api --name API --grant none");
    new.done(&format!(
        "resource add {uri} --name Accounts --client api --scope a:read=Accounts"
    ));
    let output = new.run(&format!("resource set {uri} --lifetime 60"));
    let shown = text(&output.stdout);
    assert_eq!(shown, "- Tokens  opaque, 300 s\n+ Tokens  opaque, 60 s\n");
    assert!(
        new.refused("client remove api --yes")
            .contains("resource set")
    );
    assert!(
        new.refused(&format!("resource remove {uri}"))
            .contains("--yes")
    );
    let told = new.done(&format!("resource remove {uri} --yes"));
    assert_eq!(told["resource_removed"]["uri"], uri);
    new.done("client remove api --yes");
}

#[test]
fn what_apps_are_told_of_a_person_is_changed() {
    let (new, _) = Installation::new();
    let told = new.done("user set ada --email ada@new.example --claim email_verified=true");
    assert_eq!(told["user"]["username"], "ada");
    let shown = new.done("user show ada")["user"].to_string();
    assert!(shown.contains("ada@new.example"), "{shown}");
    assert!(
        new.refused("user set ada --email ada@new.example")
            .contains("nothing of ada would change")
    );
    new.done("user set ada --remove-claim email --remove-claim email_verified");
    let shown = new.done("user show ada")["user"].to_string();
    assert!(!shown.contains("new.example"), "{shown}");
    assert!(
        new.refused("user set ada --claim shoe_size=43")
            .contains("standard claim")
    );
    assert!(new.refused("user set ben --name Ben").contains("user list"));
    let events = new.done("audit list --kind user.changed").to_string();
    assert!(events.contains("email email_verified"), "{events}");
    assert!(!events.contains("new.example"), "the log names claims only");
}

#[test]
fn a_client_with_a_key_lives_by_fapi_2_unless_somebody_says_otherwise() {
    let (new, _) = Installation::new();
    let keys = new.folder.join("keys.json");
    std::fs::write(&keys, PUBLIC_KEYS).unwrap();
    let keys = keys.display();
    let serving = new.serve();
    for (given, profile) in [
        ("--secret", "oauth21"),
        ("--public", "oauth21"),
        (&*format!("--jwks {keys}"), "fapi2"),
        (&*format!("--jwks {keys} --profile oauth21"), "oauth21"),
        (&*format!("--self-signed-jwks {keys}"), "fapi2"),
        ("--certificate-subject dns:app.example", "fapi2"),
        (
            "--certificate-subject dns:app.example --dpop-bound",
            "fapi2",
        ),
        (
            &*format!("--certificate-subject dns:app.example --jwks {keys}"),
            "fapi2",
        ),
    ] {
        let line = format!("client add --name App --redirect-uri https://app.example/cb {given}");
        let told = new.done(&line);
        let client = &told["registered"]["client"];
        assert_eq!(client["profile"], profile, "{told}");
        // Whoever connects with a certificate gets tokens that are of use with it alone.
        let certified = given.contains("self-signed") || given.contains("certificate");
        let bound = client["tls_client_certificate_bound_access_tokens"] == true;
        assert_eq!(bound, certified && !given.contains("dpop"), "{told}");
    }
    serving.stop();
}

#[test]
fn scopes_of_a_client_that_no_resource_has_are_named() {
    let (new, _) = Installation::new();
    let add = words(
        "client add --id app --name App --redirect-uri https://app.example/cb \
         --scope openid --scope accounts.read --scope acounts.read",
    );
    let said = text(&new.run(&add).stderr);
    for scope in ["accounts.read", "acounts.read"] {
        let warning = format!("no resource has the scope {scope};");
        assert!(said.contains(&warning), "{said}");
    }
    new.done("client add --id api --name API --grant none");
    new.done(
        "resource add https://api.bank.example/a --name Accounts --client api \
         --scope accounts.read=Accounts",
    );
    // Beside a server, which keeps resources in memory, and without.
    let serving = new.serve();
    let told = new.done("client show app");
    assert_eq!(told["client"]["unknown_scope"], "acounts.read");
    serving.stop();
    let shown = text(&new.run("client show app").stdout);
    let line = "Ignored         acounts.read (no resource has it)";
    assert!(shown.lines().any(|found| found == line), "{shown}");
    let said = new.run("client set app --scope openid --scope accounts.read");
    assert_eq!(text(&said.stderr), "");
    let told = new.done("client show app");
    assert!(told["client"]["unknown_scope"].is_null(), "{told}");
    // It had its API, and has it no more.
    new.done("resource remove https://api.bank.example/a --yes");
    let told = new.done("client show app");
    assert_eq!(told["client"]["unknown_scope"], "accounts.read");
}
