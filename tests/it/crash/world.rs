//! A process that serves, and everybody who deals with it. When it dies while somebody waits for an
//! answer, it is started again, and they hear that the answer was lost.

use std::time::Duration;

use countersign::http::admin::{self, AdminCommand, AdminReply, Answer};
use rules::protocol::Metadata;
use serde_json::{Value, json};

use super::check;
use super::child::{self, Child, Spec as Serves};
use super::visitor::Visitor;
use crate::support::authenticator::{Authenticator, person_with};
use crate::support::people::code_at;
use crate::support::provider::Provider;
use crate::support::receiver::Receiver;
use crate::support::server::Left;
use crate::support::smtp::{Got, Smtp};
use crate::support::{ClientApp, Engine, Person, Reply, Spec, TestServer, jwt};

/// A process and what stands in its database.
pub struct World {
    spec: Serves,
    child: Option<Child>,
    http: reqwest::Client,
    /// Whether it died since it was last told where to.
    died: bool,
    /// The crash points that were passed before the last act that was named.
    early: Vec<String>,
    /// The place of that act.
    act: &'static str,
    /// Where to die once an act is named.
    later: String,
    /// What is left of the server that made the database.
    pub left: Left,
    /// A client with a secret; its refresh tokens do not rotate.
    pub web: ClientApp,
    /// A client without one; its refresh tokens rotate.
    pub phone: ClientApp,
    /// A client with a key.
    pub machine: ClientApp,
    /// A client that is told that sessions ended, where nobody listens.
    pub gone: ClientApp,
    /// The API that asks about tokens.
    pub api: ClientApp,
    /// Where the first client is told that sessions ended.
    pub receiver: Receiver,
    /// The institution's own provider, which people may come through.
    pub provider: Provider,
    /// Where people are written to, if they are.
    pub smtp: Option<Smtp>,
    /// Somebody who can sign in.
    pub ada: Person,
    /// Somebody who comes through the provider.
    pub eva: Person,
    /// Somebody who has a passkey, too.
    pub bea: Person,
    /// It, unless a walk has it in hand.
    pub passkey: Option<Authenticator>,
    /// Access tokens that are good.
    pub alive: Vec<String>,
    /// Access tokens that ended.
    pub ended: Vec<String>,
    names: u32,
}

impl World {
    /// Prepares a database, and lets a process serve it.
    pub async fn new(engine: Engine) -> Self {
        Self::open(engine, None).await
    }

    /// The same, where people are told by mail.
    pub async fn mailed(engine: Engine) -> Self {
        Self::open(engine, Some(Smtp::start().await)).await
    }

    async fn open(engine: Engine, smtp: Option<Smtp>) -> Self {
        let server = TestServer::start(engine).await;
        let receiver = Receiver::start().await;
        let provider = Provider::start().await;
        let metadata = Metadata {
            backchannel_logout_uri: Some(receiver.uri.clone()),
            backchannel_logout_session_required: true,
            post_logout_redirect_uris: vec!["https://web.example/out".to_owned()],
            ..Metadata::default()
        };
        let web = Spec::confidential("web").metadata(metadata);
        let web = server.register(web).await;
        let phone = server.register(Spec::public("phone")).await;
        let machine = server.register(Spec::with_key("machine")).await;
        let metadata = Metadata {
            backchannel_logout_uri: Some("http://127.0.0.1:9/logout".to_owned()),
            ..Metadata::default()
        };
        let gone = Spec::confidential("gone").metadata(metadata);
        let gone = server.register(gone).await;
        let api = server.accounts.clone();
        let ada = server.person("ada").await;
        let eva = server.person("eva").await;
        let (bea, passkey) = person_with(&server, "bea", "passkey").await;
        let left = server.leave().await;
        let spec = Serves {
            issuer: left.issuer.clone(),
            url: left.url.clone(),
            folder: left.directory.path().to_owned(),
            now: left.now,
            provider: Some((provider.issuer.clone(), provider.secret_file())),
            mail: smtp.as_ref().map(|smtp| smtp.port),
        };
        let mut world = Self {
            spec,
            child: None,
            http: http(),
            died: false,
            early: Vec::new(),
            act: "",
            later: String::new(),
            left,
            web,
            phone,
            machine,
            gone,
            api,
            receiver,
            provider,
            smtp,
            ada,
            eva,
            bea,
            passkey: Some(passkey),
            alive: Vec::new(),
            ended: Vec::new(),
            names: 0,
        };
        assert!(world.start(""), "it died without being told to");
        world
    }

    /// Starts the process, to die at a point; false when it died before it served.
    pub fn start(&mut self, die_at: &str) -> bool {
        // One server on an SQLite file: the one before must be gone.
        self.child = None;
        self.http = http();
        self.child = tokio::task::block_in_place(|| Child::start(&self.spec, die_at));
        self.child.is_some()
    }

    /// Where the process listens, and what it is called.
    pub fn issuer(&self) -> &str {
        &self.spec.issuer
    }

    /// Its time, in seconds.
    pub fn now(&self) -> i64 {
        self.spec.now / 1000
    }

    /// A name that was never used.
    pub fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}", self.names)
    }

    /// Names the point at which it dies next.
    pub fn die_at(&mut self, point: &str) {
        self.died = false;
        self.later.clear();
        self.tell(&child::die_at(point)).unwrap();
    }

    /// Whether it died since.
    pub fn died(&self) -> bool {
        self.died
    }

    /// The crash points that were passed since the last time, or since it started.
    pub fn passed(&mut self) -> Vec<String> {
        let late = self.passed_late();
        let mut passed = std::mem::take(&mut self.early);
        passed.extend(late);
        passed
    }

    /// What a walk is about begins here, and commits at this place, where others commit too.
    pub fn act(&mut self, place: &'static str) {
        self.early = self.passed();
        self.act = place;
        if !self.later.is_empty() {
            let point = std::mem::take(&mut self.later);
            self.tell(&child::die_at(&point)).unwrap();
        }
    }

    /// The crash points that the last act passed at its place, if there was any.
    pub fn acted(&mut self) -> Vec<String> {
        let late = self.passed_late();
        self.early.extend(late.iter().cloned());
        let place = std::mem::take(&mut self.act);
        let own = |point: &String| !place.is_empty() && point.starts_with(place);
        late.into_iter().filter(own).collect()
    }

    /// Names the point at which it dies once the next act is named.
    pub fn die_later_at(&mut self, point: &str) {
        self.died = false;
        self.later = point.to_owned();
    }

    fn passed_late(&mut self) -> Vec<String> {
        let passed = self.tell(&child::passed()).unwrap();
        serde_json::from_value(passed).unwrap()
    }

    /// Moves its clock.
    pub fn advance(&mut self, seconds: u64) {
        self.spec.now += i64::try_from(seconds * 1000).unwrap();
        self.tell(&child::advance(seconds)).unwrap();
    }

    /// Lets a job tick; `None` when it died of that, and was started again.
    pub fn tick(&mut self, job: &str) -> Option<()> {
        if let Some(answer) = self.tell(&child::tick(job)) {
            assert_eq!(answer, "done", "{job}");
            return Some(());
        }
        self.revive();
        None
    }

    /// Lets a job tick until it is done.
    pub fn surely_tick(&mut self, job: &str) {
        if self.tick(job).is_none() {
            self.tick(job).unwrap();
        }
    }

    /// The next letter to an address that holds these words; those before it are lost.
    pub fn letter(&mut self, to: &str, words: &str) -> Got {
        for _ in 0..6 {
            self.tick("mails");
            let got = self.smtp.as_ref().unwrap().take();
            let mut wanted = got.into_iter().filter(|got| got.to == to);
            if let Some(letter) = wanted.find(|got| got.text().contains(words)) {
                return letter;
            }
            // Whoever took it to send it died with it.
            self.advance(301);
        }
        panic!("no letter to {to}");
    }

    /// A new browser.
    #[expect(clippy::unused_self, reason = "it reads as what is done in this world")]
    pub fn visitor(&self) -> Visitor {
        Visitor::default()
    }

    /// The code that a person's authenticator shows, which was never shown before.
    pub fn next_code(&mut self, person: &Person) -> String {
        self.advance(30);
        code_at(&person.totp_secret, u64::try_from(self.now()).unwrap())
    }

    /// A request to this server.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let port = self.child.as_ref().unwrap().port;
        let path = path.strip_prefix(self.issuer()).unwrap_or(path);
        let host = self.issuer().strip_prefix("http://").unwrap();
        self.http
            .request(method, format!("http://127.0.0.1:{port}{path}"))
            .header("host", host)
    }

    /// Sends a request; `None` when the answer was lost, and the server started again.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Option<Reply> {
        if let Ok(reply) = answered(request).await {
            return Some(reply);
        }
        self.revive();
        None
    }

    /// POSTs a client's form; `None` when the answer was lost.
    pub async fn post(
        &mut self,
        client: &ClientApp,
        path: &str,
        form: &[(&str, &str)],
    ) -> Option<Reply> {
        let request = self.form(client, path, form, &jwt::random_id());
        self.send(request).await
    }

    /// The same, sent again when the answer was lost.
    pub async fn surely_post(
        &mut self,
        client: &ClientApp,
        path: &str,
        form: &[(&str, &str)],
    ) -> Reply {
        match self.post(client, path, form).await {
            Some(reply) => reply,
            None => self.post(client, path, form).await.unwrap(),
        }
    }

    /// A client's form, authenticated; `jti` names the assertion when it signs one.
    pub fn form(
        &self,
        client: &ClientApp,
        path: &str,
        form: &[(&str, &str)],
        jti: &str,
    ) -> reqwest::RequestBuilder {
        let mut form: Vec<(String, String)> = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut request = self.request("POST", path);
        if client.key.is_some() {
            let now = self.now();
            let claims = json!({
                "iss": client.id, "sub": client.id, "aud": self.issuer(), "jti": jti,
                "iat": now, "nbf": now, "exp": now + 60,
            });
            form.push((
                "client_assertion_type".to_owned(),
                jwt::ASSERTION_TYPE.to_owned(),
            ));
            form.push(("client_assertion".to_owned(), client.assertion(&claims)));
        } else if client.secret.is_empty() {
            form.push(("client_id".to_owned(), client.id.clone()));
        } else {
            request = request.header("authorization", client.basic());
        }
        request.form(&form)
    }

    /// Gives an operator's command; `None` when the answer was lost.
    pub async fn command(&mut self, command: AdminCommand) -> Option<Answer> {
        let socket = self.spec.folder.join("countersign.sock");
        for _ in 0..500 {
            match admin::ask(&socket, &command).await {
                Ok(Some(answer)) => return Some(answer),
                // It has only just begun to serve.
                Ok(None) if self.tell(&json!("alive")).is_some() => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(None) | Err(_) => {
                    self.revive();
                    return None;
                }
            }
        }
        panic!("nobody listens at {}", socket.display());
    }

    /// A command that must be carried out, given again when the answer was lost. False: it had been
    /// carried out before it was lost, as the refusal of the second says.
    pub async fn surely(&mut self, command: AdminCommand) -> Option<AdminReply> {
        let name = command.name();
        let answer = match self.command(command.clone()).await {
            Some(answer) => answer,
            None => match self.command(command).await.unwrap() {
                Answer::Refused(_) => return None,
                answer => answer,
            },
        };
        match answer {
            Answer::Done(reply) => Some(reply),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Whether the API is told that a token is good.
    pub async fn sees(&mut self, token: &str) -> bool {
        let api = self.api.clone();
        let answer = self
            .surely_post(&api, "/introspect", &[("token", token)])
            .await;
        answer.ok()["active"].as_bool().unwrap()
    }

    /// Compares what was acknowledged with what exists: by asking, and in the database itself.
    pub async fn compare(&mut self) {
        for token in self.alive.clone() {
            assert!(self.sees(&token).await, "an acknowledged token is lost");
        }
        for token in self.ended.clone() {
            assert!(!self.sees(&token).await, "an ended token lives again");
        }
        let found = check::violations(&self.left).await;
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    /// One number, of the database itself.
    pub async fn count(&self, sql: &str) -> i64 {
        check::number(&self.left, sql).await
    }

    /// Nothing more is owed to anybody.
    pub fn forget(&mut self) {
        self.alive.clear();
        self.ended.clear();
    }

    fn tell(&mut self, command: &Value) -> Option<Value> {
        let child = self.child.as_mut().unwrap();
        tokio::task::block_in_place(|| child.tell(command))
    }

    fn revive(&mut self) {
        let child = self.child.as_mut().unwrap();
        tokio::task::block_in_place(|| child.ended_by_itself());
        self.died = true;
        assert!(self.start(""), "it does not start again");
    }
}

async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = response.text().await?;
    let json = serde_json::from_str(&body).unwrap_or(Value::Null);
    Ok(Reply {
        status,
        headers,
        body,
        json,
    })
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}
