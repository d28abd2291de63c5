//! The one guarded way out. Whatever this server calls, it calls through here: public addresses or
//! what the operator allowed, over https, the address that was checked being the one that is
//! connected to; no redirect is followed, no proxy asked, and nothing takes long or grows large.
//! Nothing is called unless somebody registered an address for it.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rules::network;
use url::{Host, Url};

use crate::config;
use crate::config::Allowed;

/// How long connecting may take; part of the time of the whole call.
const CONNECT: Duration = Duration::from_secs(5);

/// The client.
pub struct Outbound {
    guard: Arc<Guard>,
    timeout: Duration,
    authorities: Vec<Certificate>,
    /// Made when it is first needed: a machine without any certificates can still serve.
    client: OnceLock<reqwest::Client>,
}

/// Why a call got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It was not made: the operator has to allow it, or the address is wrong.
    NotAllowed(String),
    /// It was made, and nothing came back.
    Failed(String),
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(why) => write!(f, "not allowed: {why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// What came back.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    response: reqwest::Response,
}

impl Answer {
    /// The beginning of the body, at most `most` bytes of it; a body that breaks off is cut there.
    pub async fn beginning(mut self, most: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < most
            && let Ok(Some(chunk)) = self.response.chunk().await
        {
            let room = most - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        read
    }
}

impl Outbound {
    /// Reads what is set.
    ///
    /// # Errors
    /// A sentence for the operator, when the certificates cannot be read.
    pub fn new(config: &config::Outbound) -> Result<Self, String> {
        let authorities = match &config.ca_file {
            None => Vec::new(),
            Some(path) => {
                let shown = path.display();
                let pem = std::fs::read(path).map_err(|error| {
                    format!("outbound.ca_file: {shown} cannot be read: {error}")
                })?;
                let read = Certificate::from_pem_bundle(&pem).unwrap_or_default();
                if read.is_empty() {
                    return Err(format!(
                        "outbound.ca_file: {shown} holds no certificate in PEM"
                    ));
                }
                read
            }
        };
        Ok(Self {
            guard: Arc::new(Guard(config.allow.clone())),
            timeout: config.timeout,
            authorities,
            client: OnceLock::new(),
        })
    }

    /// POSTs a form.
    ///
    /// # Errors
    /// [`Unreached`], for the operator to read.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Answer, Unreached> {
        self.post_form_as(url, form, None).await
    }

    /// The same, with a name and a password (RFC 7617).
    ///
    /// # Errors
    /// The same.
    pub async fn post_form_as(
        &self,
        url: &str,
        form: &[(&str, &str)],
        who: Option<(&str, &str)>,
    ) -> Result<Answer, Unreached> {
        let url = self.guard.check(url).map_err(Unreached::NotAllowed)?;
        let mut request = self.client()?.post(url).form(form);
        if let Some((name, password)) = who {
            request = request.basic_auth(name, Some(password));
        }
        let response = request.send().await.map_err(|error| self.explain(&error))?;
        Ok(Answer {
            status: response.status().as_u16(),
            response,
        })
    }

    /// GETs a document that is served with 200, whole.
    ///
    /// # Errors
    /// [`Unreached`], for the operator to read; also for any other status, for more than `most`
    /// bytes, and when it takes longer than `within`.
    pub async fn get(
        &self,
        url: &str,
        accept: &'static str,
        most: usize,
        within: Duration,
    ) -> Result<Vec<u8>, Unreached> {
        let url = self.guard.check(url).map_err(Unreached::NotAllowed)?;
        let request = self.client()?.get(url).timeout(within.min(self.timeout));
        let request = request.header(reqwest::header::ACCEPT, accept);
        let mut response = request.send().await.map_err(|error| self.explain(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(Unreached::Failed(format!(
                "answered with {status}, not 200"
            )));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.explain(&error))?
        {
            if body.len() + chunk.len() > most {
                return Err(Unreached::Failed(format!("more than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn client(&self) -> Result<reqwest::Client, Unreached> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let made = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .dns_resolver(Arc::clone(&self.guard))
            // A name is looked up and judged anew for each call.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .timeout(self.timeout)
            .user_agent("countersign")
            .tls_certs_merge(self.authorities.clone())
            .build()
            .map_err(|error| Unreached::Failed(format!("no TLS client: {}", root_of(&error))))?;
        Ok(self.client.get_or_init(|| made).clone())
    }

    fn explain(&self, error: &reqwest::Error) -> Unreached {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(one) = cause {
            if let Some(not_allowed) = one.downcast_ref::<NotAllowed>() {
                return Unreached::NotAllowed(not_allowed.0.clone());
            }
            cause = one.source();
        }
        Unreached::Failed(if error.is_timeout() {
            format!("no answer within {} s", self.timeout.as_secs())
        } else if error.is_connect() {
            format!("no connection: {}", root_of(error))
        } else {
            format!("the answer could not be read: {}", root_of(error))
        })
    }
}

/// The innermost cause, which says most and does not repeat the address.
fn root_of(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// Decides where calls may go.
struct Guard(Vec<Allowed>);

/// A name none of whose addresses may be called.
#[derive(Debug)]
struct NotAllowed(String);

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotAllowed {}

impl Guard {
    /// What can be said of a URL before its name is looked up.
    fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL carries a user name or password".to_owned());
        }
        let literal = match url.host() {
            None => return Err("the URL names no host".to_owned()),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        };
        let on_loopback = match literal {
            Some(address) => network::is_loopback(address),
            None => url.host_str().is_some_and(is_localhost),
        };
        match url.scheme() {
            "https" => {}
            "http" if on_loopback => {}
            _ => return Err("only https is called (plain http on loopback alone)".to_owned()),
        }
        match literal {
            // No name is looked up for it: it is judged here.
            Some(address) if !self.permits(None, address) => Err(refusal(&address.to_string())),
            _ => Ok(url),
        }
    }

    /// Whether an address may be called, reached by a name or not.
    fn permits(&self, name: Option<&str>, address: IpAddr) -> bool {
        if network::is_nowhere(address) {
            return false;
        }
        // The name is this machine's own, whatever a resolver says (RFC 6761 §6.3).
        if name.is_some_and(is_localhost) && !network::is_loopback(address) {
            return false;
        }
        network::is_public(address)
            || self.0.iter().any(|allowed| match allowed {
                Allowed::Block(block) => block.contains(address),
                Allowed::Host(host) => name.is_some_and(|name| {
                    // Whoever answers for the name must not lead to what only this machine may read:
                    // such an address is permitted by itself. Only localhost can mean nothing else.
                    let own = network::is_loopback(address) && !is_localhost(name);
                    !own && !network::is_link_local(address) && host.eq_ignore_ascii_case(name)
                }),
            })
    }

    async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        let permitted: Vec<_> = found
            .filter(|found| self.permits(Some(name), found.ip()))
            .collect();
        if permitted.is_empty() {
            return Err(Box::new(NotAllowed(refusal(name))));
        }
        Ok(permitted)
    }
}

fn refusal(host: &str) -> String {
    format!("{host} is not at a public address; an operator can permit it in outbound.allow")
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The client connects to what this gives and to nothing else, so what was judged is what is called.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Self(self.0.clone());
        Box::pin(async move {
            let permitted = guard.look_up(name.as_str()).await?;
            let addresses: Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests;
