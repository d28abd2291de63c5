//! A whole sign-in: the app sends a new browser to the server, the person types name, password and
//! code, the app redeems the code it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::Clock;
use countersign::secret::sha256;
use countersign::{rng, totp};
use rules::identity::totp::STEP_SECONDS;
use rules::time::Timestamp;

use crate::Failed;
use crate::install::{Installed, PASSWORD, REDIRECT_ENCODED};
use crate::tls;
use crate::wire::Wire;
use crate::work::{compose, post};

/// People who can sign in, each once a time step.
pub struct People {
    people: Vec<Person>,
    turn: AtomicUsize,
}

/// A person.
pub struct Person {
    username: String,
    secret: [u8; totp::SECRET_BYTES],
    /// The last time step she used.
    spent: AtomicI64,
}

impl Person {
    /// Somebody who has not signed in yet.
    pub const fn new(username: String, secret: [u8; totp::SECRET_BYTES]) -> Self {
        Self {
            username,
            secret,
            spent: AtomicI64::new(0),
        }
    }

    /// A code that she has not used: that of this time step, or of the next, which is accepted too.
    fn fresh_code(&self, now: Timestamp) -> Result<String, Failed> {
        let length = i64::try_from(STEP_SECONDS)?;
        let step = now.secs() / length;
        let next = self.spent.load(Ordering::Relaxed).max(step - 1) + 1;
        if next > step + 1 {
            return Err("everybody has signed in twice within a time step: too few people".into());
        }
        self.spent.store(next, Ordering::Relaxed);
        Ok(totp::code_at(
            &self.secret,
            Timestamp::from_secs(next * length),
        ))
    }
}

impl People {
    /// These people, who take turns.
    pub const fn new(people: Vec<Person>) -> Self {
        let turn = AtomicUsize::new(0);
        Self { people, turn }
    }

    fn next(&self) -> &Person {
        &self.people[self.turn.fetch_add(1, Ordering::Relaxed) % self.people.len()]
    }
}

/// One connection's sign-ins.
pub struct SignIns {
    people: Arc<People>,
    host: String,
    app: String,
    clock: Clock,
}

impl SignIns {
    /// As the installation has people.
    pub fn new(installed: &Installed) -> Self {
        Self {
            people: Arc::clone(&installed.people),
            host: installed.host.clone(),
            app: installed.apps[0].clone(),
            clock: Clock::system(),
        }
    }

    /// One person signs in, from nothing to the tokens.
    pub async fn once(&self, wire: &mut Wire) -> Result<(), Failed> {
        let host = &self.host;
        let random = || rng::bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let (verifier, state, nonce) = (random()?, random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()]));

        let request = format!(
            "GET /authorize?client_id=bench-app&redirect_uri={REDIRECT_ENCODED}&response_type=code\
             &scope=openid+offline_access+accounts%3Aread&state={state}&nonce={nonce}\
             &code_challenge={challenge}&code_challenge_method=S256 HTTP/1.1\r\nhost: {host}\r\n\r\n"
        );
        let answer = wire.ask(request.as_bytes()).await?.expect(303)?;
        let (path, mut cookies) = (answer.location()?.to_owned(), String::new());
        keep(&mut cookies, answer.headers("set-cookie"));

        let show = |cookies: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\n\r\n")
        };
        wire.ask(show(&cookies).as_bytes()).await?.expect(200)?;

        let person = self.people.next();
        let code = person.fresh_code(self.clock.now())?;
        let head = post(&format!("{path}/sign-in"), host, None);
        let head = format!(
            "{head}origin: {}://{host}\r\ncookie: {cookies}\r\n",
            tls::scheme()
        );
        let password = PASSWORD.replace(' ', "+");
        let form = format!(
            "username={}&password={password}&code={code}",
            person.username
        );
        let mut request = Vec::new();
        compose(&mut request, &head, &[&form]);
        let answer = wire.ask(&request).await?.expect(303)?;
        keep(&mut cookies, answer.headers("set-cookie"));

        let answer = wire.ask(show(&cookies).as_bytes()).await?.expect(303)?;
        let location = answer.location()?;
        let found = location
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("code="));
        let code = found.ok_or_else(|| format!("no code in {location}"))?;
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_ENCODED}&code_verifier={verifier}"
        );
        compose(
            &mut request,
            &post("/token", host, Some(&self.app)),
            &[&form],
        );
        let answer = wire.ask(&request).await?.expect(200)?;
        if !answer.body.windows(10).any(|part| part == b"\"id_token\"") {
            return Err("signed in without an ID token".into());
        }
        Ok(())
    }
}

/// Keeps cookies as a browser does, as long as none is replaced.
fn keep<'a>(cookies: &mut String, set: impl Iterator<Item = &'a str>) {
    for pair in set.filter_map(|cookie| cookie.split(';').next()) {
        if !cookies.is_empty() {
            cookies.push_str("; ");
        }
        cookies.push_str(pair);
    }
}
