//! An authenticator in software: ES256, CBOR by hand (Web Authentication Level 3 §6). It does what it
//! is told, also what no honest one does.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::secret::sha256;
use serde_json::{Value, json};

use super::browser::unescape;
use super::{Browser, Page, Person, TestServer};

/// A credential and the device that it lives on.
pub struct Authenticator {
    /// What it says the page's origin is.
    pub origin: String,
    /// What it says the site is.
    pub rp_id: String,
    /// Whether it says that it verified the person.
    pub verifies: bool,
    /// Whether it says that a copy may be, and is, elsewhere.
    pub synced: bool,
    /// How often it was used, as it says; it stays zero when it starts there.
    pub counter: u32,
    /// What it gives back for the person.
    pub handle: Option<Vec<u8>>,
    /// The identifier of its credential.
    pub id: Vec<u8>,
    key: EcdsaKeyPair,
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

impl Authenticator {
    /// One for this server, that verifies the person and counts.
    pub fn new(server: &TestServer) -> Self {
        Self::at(&server.issuer)
    }

    /// One for the server of this address.
    pub fn at(issuer: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = sha256(&[key.public_key().as_ref()])[..16].to_vec();
        Self {
            origin: issuer.to_owned(),
            rp_id: "localhost".to_owned(),
            verifies: true,
            synced: false,
            counter: 1,
            handle: None,
            id,
            key,
        }
    }

    /// Answers `navigator.credentials.create()`.
    pub fn create(&mut self, options: &Value) -> String {
        self.handle = Some(decode(&options["user"]["id"]));
        let mut data = self.data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData");
        object.extend([0x58, u8::try_from(data.len()).unwrap()]);
        object.extend(data);
        let client = self.client_data("webauthn.create", &options["challenge"]);
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "extensions": {},
            "response": {
                "attestationObject": encode(&object),
                "clientDataJSON": encode(client.as_bytes()),
                "transports": ["internal"],
            },
        })
        .to_string()
    }

    /// Answers `navigator.credentials.get()`.
    pub fn answer(&mut self, options: &Value) -> String {
        if self.counter > 0 {
            self.counter += 1;
        }
        let data = self.data(0);
        let client = self.client_data("webauthn.get", &options["challenge"]);
        let signed = [&data[..], &sha256(&[client.as_bytes()])].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "extensions": {},
            "response": {
                "authenticatorData": encode(&data),
                "clientDataJSON": encode(client.as_bytes()),
                "signature": encode(signature.as_ref()),
                "userHandle": self.handle.as_deref().map(encode),
            },
        })
        .to_string()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut flags = PRESENT | more;
        if self.verifies {
            flags |= VERIFIED;
        }
        if self.synced {
            flags |= ELIGIBLE | BACKED_UP;
        }
        let mut data = sha256(&[self.rp_id.as_bytes()]).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// The public key (RFC 9053 §7.1): EC2, ES256, P-256.
    fn cose(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01];
        for (label, part) in [(0x21, &point[1..33]), (0x22, &point[33..])] {
            key.extend([label, 0x58, 0x20]);
            key.extend(part);
        }
        key
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> String {
        json!({
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": false,
        })
        .to_string()
    }
}

/// A challenge as the server gave it.
#[derive(Clone)]
pub struct Challenge {
    /// Its ceremony.
    pub ceremony: String,
    /// The options.
    pub options: Value,
}

impl Challenge {
    /// Reads one.
    pub fn of(page: &Page) -> Self {
        assert_eq!(page.status, 200, "{}", page.body);
        let told: Value = serde_json::from_str(&page.body).unwrap();
        Self {
            ceremony: told["ceremony"].as_str().unwrap().to_owned(),
            options: told["publicKey"].clone(),
        }
    }
}

/// Asks for a challenge: for a `passkey`, or for a `key` beside a password.
pub async fn challenge(browser: &mut Browser, proof: &str) -> Challenge {
    Challenge::of(&browser.post("/passkeys/ask", &[("proof", proof)]).await)
}

/// Posts what an authenticator answered to a sign-in form.
pub async fn present(browser: &mut Browser, to: &str, ceremony: &str, credential: &str) -> Page {
    let form = [
        ("ceremony", ceremony),
        ("credential", credential),
        ("proof", "passkey"),
    ];
    browser.post(to, &form).await
}

/// Signs in with a passkey alone.
pub async fn sign_in(browser: &mut Browser, passkey: &mut Authenticator) -> Page {
    let asked = challenge(browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    present(browser, "/sign-in", &asked.ceremony, &credential).await
}

/// Posts name, password and what a security key answered.
pub async fn sign_in_beside(
    browser: &mut Browser,
    (name, password): (&str, &str),
    key: &mut Authenticator,
) -> Page {
    let asked = challenge(browser, "key").await;
    let credential = key.answer(&asked.options);
    let form = [
        ("username", name),
        ("password", password),
        ("ceremony", &asked.ceremony),
        ("credential", &credential),
        ("proof", "key"),
    ];
    browser.post("/sign-in", &form).await
}

/// What a page asks a device to make.
pub fn options(page: &Page) -> Value {
    let rest = page.body.split("data-options=\"").nth(1);
    let text = rest.and_then(|rest| rest.split('"').next());
    let text = text.unwrap_or_else(|| panic!("no options on {}", page.body));
    serde_json::from_str(&unescape(text)).unwrap()
}

/// Goes to the page on which a device makes a key, in a browser that is signed in.
pub async fn to_new(
    browser: &mut Browser,
    server: &TestServer,
    person: &Person,
    kind: &str,
) -> Page {
    let code = person.next_code(server);
    let form = [
        ("kind", kind),
        ("name", "My key"),
        ("current", person.password.as_str()),
        ("code", code.as_str()),
    ];
    let page = browser.post("/account/passkeys/add", &form).await;
    assert_eq!(page.location(), "/account/passkeys/new", "{}", page.body);
    browser.follow(page).await
}

/// Binds a key in a browser that is signed in.
pub async fn bind(
    browser: &mut Browser,
    server: &TestServer,
    person: &Person,
    (kind, key): (&str, &mut Authenticator),
) {
    let page = to_new(browser, server, person, kind).await;
    make(browser, &page, key).await;
}

/// Binds another key in a browser that is signed in, after a proof by a passkey that she has.
pub async fn bind_another(
    browser: &mut Browser,
    passkey: &mut Authenticator,
    (kind, key): (&str, &mut Authenticator),
) {
    let asked = challenge(browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let form = [
        ("ceremony", asked.ceremony.as_str()),
        ("credential", &credential),
        ("proof", "passkey"),
        ("kind", kind),
        ("name", "Another key"),
    ];
    let page = browser.post("/account/passkeys/add", &form).await;
    assert_eq!(page.location(), "/account/passkeys/new", "{}", page.body);
    let page = browser.follow(page).await;
    make(browser, &page, key).await;
}

async fn make(browser: &mut Browser, page: &Page, key: &mut Authenticator) {
    let made = key.create(&options(page));
    let page = browser
        .post("/account/passkeys/new", &[("credential", &made)])
        .await;
    assert_eq!(page.location(), "/account?passkey", "{}", page.body);
}

/// A person with a passkey, besides what she bound first.
pub async fn person_with(server: &TestServer, name: &str, kind: &str) -> (Person, Authenticator) {
    let person = server.person(name).await;
    let mut browser = server.browser();
    browser.sign_in(server, &person).await;
    let mut key = Authenticator::new(server);
    bind(&mut browser, server, &person, (kind, &mut key)).await;
    (person, key)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
