//! `docs/operate/upstream.md`, typed: a server finds a provider by it, and a code that the provider
//! gives.

use std::fs;

use countersign::clock::Clock;

use super::{Machine, blocks, fenced};
use crate::support::provider::{Provider, of};

/// Says where a page leads to, with the cookies that it was given and gives.
const LEADS: &str = "curl --cookie jar --cookie-jar jar --output /dev/null \
    --write-out '%{redirect_url}'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_through_a_provider_by_a_secret_or_a_key() {
    let provider = Provider::start().await;
    let machine = Machine::new();
    let here = |text: &str| {
        text.replace(
            "https://people.bank.example/realms/people",
            &provider.issuer,
        )
        .replace("people.bank.example", "127.0.0.1")
    };
    let setup = blocks("bare-metal.md");
    machine.types(&setup[..setup.len() - 1].join("\n"));
    fs::copy(provider.secret_file(), machine.path("work/upstream.secret")).unwrap();
    let [secret, key, restart] = blocks("upstream.md").try_into().unwrap();
    let [settings] = fenced("upstream.md", "text").try_into().unwrap();
    machine.types(&secret);
    assert!(machine.types(&key).contains("BEGIN PUBLIC KEY"));
    let path = machine.path("etc/countersign.toml");
    let without = fs::read_to_string(&path).unwrap();
    let folder = machine.path("etc");
    let settings = here(&settings).replace("/etc/countersign", folder.to_str().unwrap());
    fs::write(&path, format!("{without}\n{settings}\n")).unwrap();
    let found = machine.types(&here(&restart));
    let issuer = format!("\"issuer\":\"{}\"", provider.issuer);
    assert!(found.contains(&issuer), "{found}");
    let page = machine.types("curl --fail https://login.bank.example/sign-in");
    assert!(page.contains("Example Bank"), "{page}");
    // The provider takes the secret, and nobody linked that account.
    let asked = machine.types(&format!(
        "{LEADS} https://login.bank.example/sign-in/upstream"
    ));
    assert!(asked.starts_with(&provider.issuer), "{asked}");
    let registered = "https://login.bank.example/upstream/callback";
    assert_eq!(of(&asked, "redirect_uri"), registered);
    let now = Clock::system().now().secs();
    let back = provider.answer_at(&asked, ("ada-at-the-bank", ""), now);
    let told = machine.types(&format!("{LEADS} 'https://login.bank.example{back}'"));
    assert_eq!(of(&told, "upstream"), "unlinked", "{told}");
    // The key is one that the server takes.
    let settings = settings
        .replace("client_secret_file", "private_key_file")
        .replace("upstream.secret", "upstream.pem");
    fs::write(&path, format!("{without}\n{settings}\n")).unwrap();
    machine.types(&here(&restart));
    machine.types("curl --fail https://login.bank.example/readyz");
}
