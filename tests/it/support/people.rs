//! People: invited by the institution, activated through the pages.

use countersign::flows::users::{self, NewUser};
use serde_json::{Map, Value, json};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::browser::{Browser, Page, unescape};
use super::server::{TestServer, caller};

/// A password that every person of the tests may have.
pub const PASSWORD: &str = "nineteen quiet herons 7 wade";

/// A person who can sign in.
#[derive(Clone)]
pub struct Person {
    /// What she types.
    pub username: String,
    /// Her password.
    pub password: String,
    /// Her authenticator's secret, base32.
    pub totp_secret: String,
    /// Her recovery codes, as shown.
    pub recovery_codes: Vec<String>,
    /// Her `sub`.
    pub id: uuid::Uuid,
}

impl Person {
    /// What her authenticator shows now.
    pub fn code(&self, server: &TestServer) -> String {
        self.code_at(u64::try_from(server.now()).unwrap())
    }

    /// What it shows next. A clock of the tests' own goes on to then; by the machine's clock the code
    /// comes early, as the server allows: nobody waits for it.
    pub fn next_code(&self, server: &TestServer) -> String {
        let then = server.now() + 30;
        server.advance(30);
        self.code_at(u64::try_from(then).unwrap())
    }

    /// What it shows at a time, in seconds.
    pub fn code_at(&self, seconds: u64) -> String {
        code_at(&self.totp_secret, seconds)
    }
}

/// The code of a base32 secret at a time.
pub fn code_at(secret: &str, seconds: u64) -> String {
    authenticator(secret).generate(seconds).to_string()
}

fn authenticator(secret: &str) -> Totp {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .build()
        .unwrap()
}

/// The claims of everybody.
pub fn claims(username: &str) -> Map<String, Value> {
    let Value::Object(claims) = json!({
        "name": format!("{username} Example"),
        "email": format!("{username}@mail.example"),
        "email_verified": true,
        "address": { "locality": "Uppsala", "country": "SE" },
        "phone_number": "+46 18 000 00",
    }) else {
        unreachable!()
    };
    claims
}

/// Invites a person; returns her id and the path of her link.
pub async fn invite(server: &TestServer, username: &str) -> (uuid::Uuid, String) {
    let new = NewUser {
        username: username.to_owned(),
        claims: claims(username),
    };
    let invited = users::invite(&server.app, new, &caller()).await.unwrap();
    let link = invited.link.expose();
    let path = link.strip_prefix(&server.issuer).unwrap().to_owned();
    (invited.user_id, path)
}

/// A ceremony that has reached the page with the recovery codes.
pub struct AlmostDone {
    /// The browser it happens in.
    pub browser: Browser,
    /// The page.
    pub page: Page,
    /// The person, with everything she bound.
    pub person: Person,
}

/// Opens a ceremony in a browser and chooses the password; gives the page of the authenticator.
pub async fn to_factor(browser: &mut Browser, link: &str) -> Page {
    let start = browser.get(link).await;
    assert_eq!(start.status, 200, "{}", start.body);
    let page = browser.post(link, &[]).await;
    let page = browser.follow(page).await;
    let action = page
        .form("/activate/password")
        .unwrap_or_else(|| panic!("{page:?}"));
    let form = [("password", PASSWORD), ("repeat", PASSWORD)];
    let page = browser.post(&action, &form).await;
    browser.follow(page).await
}

/// Goes through a ceremony up to its last step.
pub async fn go_through(
    server: &TestServer,
    username: &str,
    id: uuid::Uuid,
    link: &str,
) -> AlmostDone {
    let mut browser = server.browser();
    let page = to_factor(&mut browser, link).await;
    let totp_secret = secret(&page);
    let code = code_at(&totp_secret, u64::try_from(server.now()).unwrap());
    let action = page.form("/activate/factor").unwrap();
    let page = browser.post(&action, &[("code", &code)]).await;
    let page = browser.follow(page).await;
    let person = Person {
        username: username.to_owned(),
        password: PASSWORD.to_owned(),
        totp_secret,
        recovery_codes: recovery_codes(&page),
        id,
    };
    AlmostDone {
        browser,
        page,
        person,
    }
}

/// Invites a person and goes through the ceremony up to its last step.
pub async fn almost(server: &TestServer, username: &str) -> AlmostDone {
    let (id, link) = invite(server, username).await;
    go_through(server, username, id, &link).await
}

/// Invites a person and goes through the whole ceremony.
pub async fn activate(server: &TestServer, username: &str) -> Person {
    let AlmostDone {
        mut browser,
        page,
        person,
    } = almost(server, username).await;
    let action = page.form("/activate/codes").unwrap();
    let asked = asked_code(&page, &person);
    let page = browser.post(&action, &[("confirm", &asked)]).await;
    let page = browser.follow(page).await;
    assert_eq!(page.status, 200, "{}", page.body);
    person
}

/// The secret that the page of the authenticator shows, base32.
pub fn secret(page: &Page) -> String {
    let body = unescape(&page.body);
    let rest = body
        .split("secret=")
        .nth(1)
        .unwrap_or_else(|| panic!("{}", page.body));
    rest.chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

/// The recovery codes that a page shows.
pub fn recovery_codes(page: &Page) -> Vec<String> {
    let codes = page.body.split("<code dir=\"ltr\">").skip(1);
    codes
        .map(|rest| rest.split('<').next().unwrap_or_default().to_owned())
        .collect()
}

/// The code that the last step asks to be typed.
pub fn asked_code(page: &Page, person: &Person) -> String {
    let rest = page.body.split("Type code number ").nth(1).unwrap();
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    person.recovery_codes[number.parse::<usize>().unwrap() - 1].clone()
}
