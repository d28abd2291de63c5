//! Errors teach: each links to a page of the server, and what that page says is true.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use countersign::http::pages::errors::{self, Topic};
use rules::protocol::{ErrorCode, GrantType};
use serde_json::Value;

use crate::support::server::ACCOUNTS;
use crate::support::{
    Answer, AuthRequest, Browser, ClientApp, Page, Person, Spec, TestServer, jwt,
};

on_both![
    every_error_has_its_page_in_every_language,
    every_wrong_example_is_refused_so_and_every_right_one_accepted,
    an_unknown_error_has_no_page_and_is_not_echoed,
    every_way_of_telling_an_error_names_its_page,
];

async fn every_error_has_its_page_in_every_language(server: TestServer) {
    let index = server.get("/errors").await;
    for code in ErrorCode::ALL {
        let path = format!("/errors/{}", code.as_str());
        assert!(index.body.contains(&format!("href=\"{path}\"")), "{path}");
        let known = errors::all().find(|one| one.code == *code);
        let topics = known.unwrap_or_else(|| panic!("{path} is missing")).topics;
        for lang in ["en", "de"] {
            let request = server.http.get(server.at(&path));
            let page = Page::of(request.header("accept-language", lang)).await;
            assert_eq!(page.status, 200, "{path}");
            assert!(
                page.body.contains(&format!("<html lang=\"{lang}\"")),
                "{path}"
            );
            assert!(
                page.body.len() < 14 << 10,
                "{path} has {} bytes",
                page.body.len()
            );
            for topic in topics {
                assert!(
                    page.body.contains(&format!("id=\"{}\"", topic.id)),
                    "{path}"
                );
            }
            for href in page.body.split("href=\"").skip(1) {
                let href = href.split('"').next().unwrap();
                let standards = [
                    "https://www.rfc-editor.org/rfc/rfc",
                    "https://openid.net/specs/",
                ];
                if href.starts_with('/') {
                    assert_eq!(server.get(href).await.status, 200, "{path}: {href}");
                } else {
                    assert!(standards.iter().any(|one| href.starts_with(one)), "{href}");
                }
            }
        }
    }
}

/// Everything that the code tells its errors are about is explained somewhere.
#[test]
fn every_topic_that_is_told_is_explained() {
    let topics: Vec<_> = errors::all()
        .flat_map(|one| one.topics)
        .map(|one| one.id)
        .collect();
    let mut folders = vec![
        "src/flows".into(),
        "src/http".into(),
        "crates/rules/src".into(),
    ];
    let mut told = 0;
    while let Some(folder) = folders.pop() {
        let folder: std::path::PathBuf = folder;
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                for rest in source.split(".about(\"").skip(1) {
                    let topic = rest.split('"').next().unwrap();
                    assert!(topics.contains(&topic), "{}: {topic}", path.display());
                    told += 1;
                }
            }
        }
    }
    assert!(told > 20, "{told}");
}

/// Values for the words in capitals.
struct Reader {
    server: TestServer,
    app: ClientApp,
    keyed: ClientApp,
    narrow: ClientApp,
    ada: Person,
    hers: Browser,
}

impl Reader {
    async fn new(server: TestServer) -> Self {
        let app = server.register(Spec::confidential("app")).await;
        let keyed = server.register(Spec::with_key("keyed")).await;
        server.register(Spec::public("phone")).await;
        let codes = Spec::confidential("narrow").grants(&[GrantType::AuthorizationCode]);
        let narrow = server.register(codes).await;
        let ada = server.person("ada").await;
        let hers = server.browser();
        Self {
            server,
            app,
            keyed,
            narrow,
            ada,
            hers,
        }
    }

    /// Everything anew: most of it is good once.
    async fn values(&mut self) -> HashMap<&'static str, String> {
        let server = &self.server;
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let basic = |client: &ClientApp| client.basic().replace("Basic ", "");
        let wrong = ClientApp {
            secret: "another".to_owned(),
            ..self.app.clone()
        };
        let request = AuthRequest::new(&self.app, "openid offline_access");
        let answer = self.hers.walk(server, &request, &self.ada).await;
        let tokens = request.redeem(server, &self.app, &answer.code()).await;
        let spent = answer.code();
        let answer = self.hers.walk(server, &request, &self.ada).await;
        let own = self
            .app
            .client_credentials(server, "accounts:read")
            .await
            .ok();
        let pushed = request.pushed(server, &self.app).await;
        let used = jwt::random_id();
        let mut claims = self.keyed.claims(server);
        claims["jti"] = used.clone().into();
        self.with_assertion(&claims).await.ok();
        let server = &self.server;
        HashMap::from([
            ("ISSUER", server.issuer.clone()),
            ("CLIENT_ID", self.app.id.clone()),
            ("CLIENT_SECRET", self.app.secret.clone()),
            ("REDIRECT_URI", encode(&self.app.redirect_uri)),
            ("CODE_CHALLENGE", request.get("code_challenge").to_owned()),
            ("CODE_VERIFIER", request.verifier.clone()),
            ("CODE", answer.code()),
            ("A_SPENT_CODE", spent),
            ("ACCESS_TOKEN", tokens.access),
            ("REFRESH_TOKEN", tokens.refresh),
            (
                "A_TOKEN_WITHOUT_OPENID",
                own["access_token"].as_str().unwrap().to_owned(),
            ),
            ("REQUEST_URI", encode(pushed.get("request_uri"))),
            ("RESOURCE", encode(ACCOUNTS)),
            ("SCOPE", "accounts:read".to_owned()),
            ("BASIC", basic(&self.app)),
            ("BASIC_WITH_ANOTHER_SECRET", basic(&wrong)),
            ("BASIC_OF_A_CLIENT_WITH_A_KEY", basic(&self.keyed)),
            ("BASIC_OF_A_CLIENT_WITHOUT_IT", basic(&self.narrow)),
            ("A_PUBLIC_CLIENT", "phone".to_owned()),
            (
                "ASSERTION",
                self.keyed.assertion(&self.keyed.claims(server)),
            ),
            ("A_NEW_ID", jwt::random_id()),
            ("AN_ID_USED_BEFORE", used),
            ("IN_60_SECONDS", (server.now() + 60).to_string()),
            ("IN_A_DAY", (server.now() + 86_400).to_string()),
        ])
    }

    async fn with_assertion(&self, claims: &Value) -> crate::support::Reply {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
            ("client_assertion_type", jwt::ASSERTION_TYPE),
            ("client_assertion", &self.keyed.assertion(claims)),
        ];
        let request = self.server.http.post(self.server.at("/token")).form(&form);
        crate::support::Reply::of(request).await
    }

    /// Sends an example; gives its status, error and the page it names.
    async fn send(&mut self, example: &str, browser: &mut Browser) -> (u16, String, String) {
        let mut values = self.values().await;
        if example.starts_with('{') {
            values.insert("CLIENT_ID", self.keyed.id.clone());
            let claims: Value = serde_json::from_str(&filled(example, &values)).unwrap();
            let reply = self.with_assertion(&claims).await;
            return (
                reply.status,
                reply.error().to_owned(),
                reply.text("error_uri").to_owned(),
            );
        }
        let (head, body) = example.split_once("\n\n").unwrap_or((example, ""));
        let head = filled(&head.replace("\n  ", ""), &values);
        let body = filled(&body.replace("\n  ", "").replace('\n', ""), &values);
        let mut lines = head.lines();
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.server.http.request(method, self.server.at(path));
        let mut form = !body.is_empty();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            form &= name != "Content-Type";
            request = request.header(name, value);
        }
        if form {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let page = browser.send(request.body(body)).await;
        if let Ok(json) = serde_json::from_str::<Value>(&page.body) {
            let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
            return (page.status, text("error"), text("error_uri"));
        }
        if page.location().starts_with("https://") {
            let answer = Answer::of(&page);
            return (
                page.status,
                answer.error().to_owned(),
                answer.get("error_uri").to_owned(),
            );
        }
        let linked = page.body.split("href=\"/errors/").nth(1);
        let linked = linked
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default();
        let error = linked.split('#').next().unwrap().to_owned();
        (
            page.status,
            error,
            format!("{}/errors/{linked}", self.server.issuer),
        )
    }
}

fn filled(text: &str, values: &HashMap<&'static str, String>) -> String {
    let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_word(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let joined = before.ends_with('%') || before.ends_with(|c: char| c.is_ascii_alphanumeric());
        out.push_str(before);
        out.push_str(
            values
                .get(word)
                .filter(|_| !joined)
                .map_or(word, String::as_str),
        );
        rest = after;
    }
    out + rest
}

async fn every_wrong_example_is_refused_so_and_every_right_one_accepted(server: TestServer) {
    let bob = server.person("bob").await;
    let mut signed_in = server.browser();
    signed_in.sign_in(&server, &bob).await;
    let mut reader = Reader::new(server).await;
    let mut wrong = Vec::new();
    for one in errors::all() {
        let code = one.code.as_str();
        let shown: Vec<&Topic> = one
            .topics
            .iter()
            .filter(|topic| !topic.wrong.is_empty())
            .collect();
        for topic in shown {
            let mut browser = match one.code {
                ErrorCode::ConsentRequired => signed_in.clone(),
                _ => reader.server.browser(),
            };
            let page = format!("{}/errors/{code}", reader.server.issuer);
            let (_, error, uri) = reader.send(topic.wrong, &mut browser).await;
            let named =
                uri == format!("{page}#{}", topic.id) || (uri == page && one.topics.len() == 1);
            if error != code || !named {
                wrong.push(format!("{code}#{}: wrong: {error} {uri}", topic.id));
            }
            let (status, error, _) = reader.send(topic.right, &mut browser).await;
            if status >= 400 || !error.is_empty() {
                wrong.push(format!("{code}#{}: right: {status} {error}", topic.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn an_unknown_error_has_no_page_and_is_not_echoed(server: TestServer) {
    let page = server
        .get("/errors/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        .await;
    assert_eq!(page.status, 404);
    assert!(!page.body.contains("<script"), "{}", page.body);
}

async fn every_way_of_telling_an_error_names_its_page(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let json = server.get("/userinfo").await;
    json.refused(401, "invalid_token");
    assert_eq!(json.text("error_uri"), server.at("/errors/invalid_token"));
    let request = server.http.get(server.at("/userinfo"));
    let request = request.header("authorization", "Bearer wrong");
    let challenged = crate::support::Reply::of(request).await;
    let named = format!("error_uri=\"{}\"", server.at("/errors/invalid_token#token"));
    assert!(
        challenged.header("www-authenticate").ends_with(&named),
        "{challenged:?}"
    );
    let uri = server.at("/errors/login_required");
    let request = AuthRequest::new(&app, "openid").with("prompt", "none");
    let answer = Answer::of(&server.browser().get(&request.url(&server)).await);
    assert_eq!(answer.get("error_uri"), uri);
    let request = request.with("response_mode", "form_post");
    let page = server.browser().get(&request.url(&server)).await;
    assert!(page.body.contains("name=\"error_uri\""), "{}", page.body);
    assert!(page.body.contains(&uri), "{}", page.body);
}
