//! The server's own binary, as an operator runs it, on a database that the harness prepared.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::server::Left;
use crate::support::{ClientApp, Engine, Reply, Spec, TestServer};

/// A server and who deals with it.
pub struct Served {
    /// What the harness left: database, settings and root key.
    pub left: Left,
    /// A client with a secret, which may also have refresh tokens.
    pub web: ClientApp,
    /// A client whose refresh tokens rotate.
    pub phone: ClientApp,
    /// The API.
    pub api: ClientApp,
    /// Refresh tokens of the phone, each of a family of its own.
    pub refresh: Vec<String>,
    port: u16,
    process: Option<Child>,
    http: reqwest::Client,
}

impl Served {
    /// Prepares a database, with some refresh tokens in it; nothing serves it yet.
    pub async fn prepare(engine: Engine, families: usize) -> Self {
        let server = TestServer::start_now(engine).await;
        let web = server.register(Spec::confidential("web")).await;
        let phone = server.register(Spec::public("phone")).await;
        let api = server.accounts.clone();
        let mut refresh = Vec::new();
        if families > 0 {
            let ada = server.person("ada").await;
            let mut browser = server.browser();
            for _ in 0..families {
                let scope = "openid offline_access accounts:read";
                let tokens = browser.code_flow(&server, &phone, &ada, scope).await;
                refresh.push(tokens.refresh);
            }
        }
        let left = server.leave().await;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let served = Self {
            left,
            web,
            phone,
            api,
            refresh,
            port,
            process: None,
            http: reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([])
                .pool_max_idle_per_host(0)
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
        };
        served.configure(&served.left.url.clone());
        served
    }

    /// Writes the settings.
    pub fn configure(&self, url: &str) {
        let limits = [
            "pages_per_address",
            "documents_per_address",
            "authorize_per_address",
            "sign_in_per_address",
            "failures_per_address",
        ];
        let limits = limits.map(|name| format!("{name} = \"1000000/min\"\n"));
        let folder = self.left.directory.path();
        let settings = format!(
            "issuer = \"{}\"\n[server]\nlisten = \"127.0.0.1:{}\"\n[database]\nurl = \"{url}\"\n\
             [vault]\nroot_key_file = \"{}\"\n[people]\nargon2_memory_kib = 64\nargon2_passes = 1\n\
             [institution]\nname = \"Test Bank\"\n[limits]\n{}",
            self.left.issuer,
            self.port,
            folder.join("root.key").display(),
            limits.concat(),
        );
        std::fs::write(self.settings(), settings).unwrap();
    }

    /// Where the settings lie.
    pub fn settings(&self) -> PathBuf {
        self.left.directory.path().join("countersign.toml")
    }

    /// Where the database lies.
    pub fn database(&self) -> PathBuf {
        self.left.directory.path().join("countersign.db")
    }

    /// The command that serves.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("--config").arg(self.settings()).arg("serve");
        command
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        self.start_as(self.command()).await;
    }

    /// Starts it by another command.
    pub async fn start_as(&mut self, mut command: Command) {
        assert!(self.process.is_none());
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(child);
        for _ in 0..1200 {
            if self.get("/readyz").await.is_some_and(|r| r.status == 200) {
                return;
            }
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it does not answer");
    }

    /// Runs it as long as it runs by itself; whether it ended well, and what it said.
    pub fn ends(&self) -> (bool, String) {
        let output = self.command().output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        (output.status.success(), said)
    }

    /// The number of the server's process: that of a program which was started around it has one
    /// child, the server.
    pub fn process(&self) -> u32 {
        let started = self.process.as_ref().unwrap().id();
        let children = format!("/proc/{started}/task/{started}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children.trim().parse().unwrap_or(started)
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    pub fn stop(&mut self) {
        signal(self.process(), "-TERM");
        self.process.take().unwrap().wait().unwrap();
    }

    /// GETs a path; `None` when no whole answer came.
    pub async fn get(&self, path: &str) -> Option<Reply> {
        answered(self.request(reqwest::Method::GET, path)).await
    }

    /// POSTs a client's form; `None` when no whole answer came.
    pub async fn post(
        &self,
        client: &ClientApp,
        path: &str,
        form: &[(&str, &str)],
    ) -> Option<Reply> {
        let mut form = form.to_vec();
        let mut request = self.request(reqwest::Method::POST, path);
        if client.secret.is_empty() {
            form.push(("client_id", &client.id));
        } else {
            request = request.header("authorization", client.basic());
        }
        answered(request.form(&form)).await
    }

    /// Asks for a token for the client itself.
    pub async fn token(&self) -> Option<Reply> {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
        ];
        self.post(&self.web, "/token", &form).await
    }

    /// A good token.
    pub async fn good_token(&self) -> String {
        let reply = self.token().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.text("access_token").to_owned()
    }

    /// Refreshes.
    pub async fn refresh(&self, token: &str) -> Option<Reply> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post(&self.phone, "/token", &form).await
    }

    /// Revokes a token of the client.
    pub async fn revoke(&self, token: &str) -> Option<Reply> {
        self.post(&self.web, "/revoke", &[("token", token)]).await
    }

    /// What the API is told about a token.
    pub async fn introspect(&self, token: &str) -> Option<Reply> {
        self.post(&self.api, "/introspect", &[("token", token)])
            .await
    }

    /// Whether the API is told that a token is good.
    pub async fn sees(&self, token: &str) -> bool {
        let reply = self.introspect(token).await.unwrap().ok();
        reply["active"].as_bool().unwrap()
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let host = self.left.issuer.strip_prefix("http://").unwrap();
        self.http
            .request(method, format!("http://127.0.0.1:{}{path}", self.port))
            .header("host", host)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.process.is_some() {
            let id = self.process().to_string();
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// That it cannot answer now: 503, when to come back, and nothing that a client could take for a
/// verdict.
#[track_caller]
pub fn is_fault(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(!reply.header("retry-after").is_empty(), "{reply:?}");
    let json = reply.header("content-type").starts_with("application/json");
    if json && reply.json.get("error").is_some() {
        assert_eq!(reply.error(), "temporarily_unavailable");
    }
    assert!(reply.json.get("active").is_none(), "{}", reply.body);
}

/// Sends a signal.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

async fn answered(request: reqwest::RequestBuilder) -> Option<Reply> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = response.text().await.ok()?;
    let json = serde_json::from_str(&body).unwrap_or(serde_json::Value::Null);
    Some(Reply {
        status,
        headers,
        body,
        json,
    })
}
