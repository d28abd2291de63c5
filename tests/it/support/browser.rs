//! A browser, as far as forms and cookies go: it keeps cookies, sends `Origin` with each POST, and
//! follows no redirect by itself.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;

use super::flow::{Answer, AuthRequest, Tokens};
use super::{ClientApp, Person, TestServer};

/// Who walks through the pages. A clone is the same browser with another tab.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    issuer: String,
    /// The cookies it holds.
    pub cookies: BTreeMap<String, String>,
}

/// What came back, read whole.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Page {
    /// Reads an answer.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.text().await.unwrap();
        Self {
            status,
            headers,
            body,
        }
    }

    /// A header's text, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Where a redirect leads; empty when this is none.
    pub fn location(&self) -> &str {
        if (300..400).contains(&self.status) {
            self.header("location")
        } else {
            ""
        }
    }

    /// Every `Set-Cookie` header.
    pub fn set_cookies(&self) -> Vec<String> {
        let values = self.headers.get_all("set-cookie").iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    /// The action of the form that ends so.
    pub fn form(&self, ending: &str) -> Option<String> {
        let actions = self.body.split("action=\"").skip(1);
        actions
            .filter_map(|rest| rest.split('"').next())
            .find(|action| action.ends_with(ending))
            .map(unescape)
    }

    /// What the page says with its request id taken out, for comparing two.
    pub fn without_reference(&self) -> String {
        let id = self.header("x-request-id");
        if id.is_empty() {
            self.body.clone()
        } else {
            self.body.replace(id, "")
        }
    }
}

/// Undoes the escapes of HTML.
pub fn unescape(text: &str) -> String {
    text.replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
}

impl Browser {
    /// One without cookies.
    pub fn new(http: reqwest::Client, issuer: &str) -> Self {
        Self {
            http,
            issuer: issuer.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// What a cookie holds whose name ends so.
    pub fn cookie(&self, ending: &str) -> String {
        let mut held = self.cookies.iter();
        let (_, value) = held.find(|(name, _)| name.ends_with(ending)).unwrap();
        value.clone()
    }

    /// The same browser, led to another node of the installation.
    pub fn led_to(&self, node: &TestServer) -> Self {
        Self {
            http: node.http.clone(),
            ..self.clone()
        }
    }

    /// GETs a path, or a whole address of this server.
    pub async fn get(&mut self, address: &str) -> Page {
        let request = self.http.get(self.absolute(address));
        self.send(request).await
    }

    /// POSTs a form from a page of the server.
    pub async fn post(&mut self, address: &str, form: &[(&str, &str)]) -> Page {
        let origin = self.issuer.clone();
        self.post_from(address, form, Some(&origin)).await
    }

    /// POSTs a form from a page of another origin, or saying nothing of it.
    pub async fn post_from(
        &mut self,
        address: &str,
        form: &[(&str, &str)],
        origin: Option<&str>,
    ) -> Page {
        let mut request = self.http.post(self.absolute(address)).form(form);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request).await
    }

    /// Sends a request with this browser's cookies and takes in what is set.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let mut request = request.header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let page = Page::of(request).await;
        for cookie in page.set_cookies() {
            self.keep(&cookie);
        }
        page
    }

    /// Follows redirects as long as they stay on this server.
    pub async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            let to = page.location().to_owned();
            let inside = to.starts_with('/') || to.starts_with(&format!("{}/", self.issuer));
            if to.is_empty() || !inside {
                return page;
            }
            page = self.get(&to).await;
        }
        panic!("redirected in circles");
    }

    /// GETs a path and follows.
    pub async fn open(&mut self, address: &str) -> Page {
        let page = self.get(address).await;
        self.follow(page).await
    }

    /// Signs in outside any app's request, with a fresh code.
    pub async fn sign_in(&mut self, server: &TestServer, person: &Person) -> Page {
        self.open("/sign-in").await;
        let code = person.next_code(server);
        self.try_sign_in(&person.username, &person.password, &code)
            .await
    }

    /// Submits the plain sign-in form.
    pub async fn try_sign_in(&mut self, username: &str, password: &str, code: &str) -> Page {
        let form = [
            ("username", username),
            ("password", password),
            ("code", code),
        ];
        self.post("/sign-in", &form).await
    }

    /// Whether somebody is signed in.
    pub async fn is_signed_in(&mut self) -> bool {
        self.get("/account").await.status == 200
    }

    /// Begins an app's request; gives the first page that is not a redirect within the server.
    pub async fn begin(&mut self, server: &TestServer, request: &AuthRequest) -> Page {
        self.open(&request.url(server)).await
    }

    /// Goes through an app's request, signing in and consenting to everything when asked.
    pub async fn walk(
        &mut self,
        server: &TestServer,
        request: &AuthRequest,
        person: &Person,
    ) -> Answer {
        let page = self.begin(server, request).await;
        self.go_on(server, page, person).await
    }

    /// Goes on from a page of an interaction.
    pub async fn go_on(&mut self, server: &TestServer, mut page: Page, person: &Person) -> Answer {
        for _ in 0..4 {
            page = self.follow(page).await;
            if !page.location().is_empty() || page.status != 200 {
                return Answer::of(&page);
            }
            if let Some(action) = page.form("/sign-in") {
                let code = person.next_code(server);
                let form = [
                    ("username", person.username.as_str()),
                    ("password", person.password.as_str()),
                    ("code", code.as_str()),
                ];
                page = self.post(&action, &form).await;
            } else if let Some(action) = page.form("/consent") {
                page = self.post(&action, &consent(&page)).await;
            } else {
                return Answer::of(&page);
            }
        }
        panic!("the interaction does not end: {}", page.body);
    }

    /// The whole code flow, to the tokens.
    pub async fn code_flow(
        &mut self,
        server: &TestServer,
        client: &ClientApp,
        person: &Person,
        scope: &str,
    ) -> Tokens {
        let request = AuthRequest::new(client, scope);
        let answer = self.walk(server, &request, person).await;
        request.redeem(server, client, &answer.code()).await
    }

    fn absolute(&self, address: &str) -> String {
        if address.starts_with('/') {
            format!("{}{address}", self.issuer)
        } else {
            address.to_owned()
        }
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let gone = parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
        if gone || value.is_empty() {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// What a person sends who agrees to everything a consent page asks.
pub fn consent(page: &Page) -> Vec<(&'static str, &str)> {
    let mut form = vec![("decision", "allow")];
    for input in page.body.split("<input ").skip(1) {
        let input = input.split('>').next().unwrap_or_default();
        if input.contains("name=\"scope\"")
            && let Some(value) = input.split("value=\"").nth(1)
        {
            form.push(("scope", value.split('"').next().unwrap_or_default()));
        }
    }
    form
}
