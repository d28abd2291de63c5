//! A browser that goes on when an answer was lost.

use std::collections::BTreeMap;

use super::world::World;
use crate::support::Page;

/// A browser, as far as forms and cookies go.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The cookies it holds.
    pub cookies: BTreeMap<String, String>,
}

impl Visitor {
    /// Looks at a page, again when the answer was lost, and follows redirects within the server.
    pub async fn open(&mut self, world: &mut World, address: &str) -> Page {
        let mut address = address.to_owned();
        for _ in 0..10 {
            let mut page = self.send(world, "GET", &address, None).await;
            if page.is_none() {
                page = self.send(world, "GET", &address, None).await;
            }
            let page = page.unwrap();
            let to = page.location();
            let inside = to.starts_with('/') || to.starts_with(&format!("{}/", world.issuer()));
            if !inside {
                return page;
            }
            address = to.to_owned();
        }
        panic!("redirected in circles");
    }

    /// Looks at an address once, and follows nothing; `None` when the answer was lost.
    pub async fn get(&mut self, world: &mut World, address: &str) -> Option<Page> {
        self.send(world, "GET", address, None).await
    }

    /// POSTs a form from a page of the server; `None` when the answer was lost.
    pub async fn post(
        &mut self,
        world: &mut World,
        address: &str,
        form: &[(&str, &str)],
    ) -> Option<Page> {
        self.send(world, "POST", address, Some(form)).await
    }

    /// The same; follows what comes back.
    pub async fn submit(
        &mut self,
        world: &mut World,
        address: &str,
        form: &[(&str, &str)],
    ) -> Option<Page> {
        let page = self.post(world, address, form).await?;
        let to = page.location().to_owned();
        if to.starts_with('/') || to.starts_with(&format!("{}/", world.issuer())) {
            return Some(self.open(world, &to).await);
        }
        Some(page)
    }

    /// Whether somebody is signed in.
    pub async fn is_signed_in(&mut self, world: &mut World) -> bool {
        let mut page = self.send(world, "GET", "/account", None).await;
        if page.is_none() {
            page = self.send(world, "GET", "/account", None).await;
        }
        page.unwrap().status == 200
    }

    async fn send(
        &mut self,
        world: &mut World,
        method: &str,
        address: &str,
        form: Option<&[(&str, &str)]>,
    ) -> Option<Page> {
        let mut request = world.request(method, address).header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        );
        if let Some(form) = form {
            request = request.form(form).header("origin", world.issuer());
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let reply = world.send(request).await?;
        let page = Page {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
        };
        for cookie in page.set_cookies() {
            self.keep(&cookie);
        }
        Some(page)
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
