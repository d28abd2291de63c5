//! What is asked of the server, and of the ceiling beside it.

use std::sync::Arc;

use clap::ValueEnum;

use crate::Failed;
use crate::install::{Installed, REDIRECT_ENCODED};
use crate::sign_in::SignIns;
use crate::signed::{Signed, What};
use crate::tls;
use crate::wire::{Answer, Wire};

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// `GET /.well-known/openid-configuration`
    Discovery,
    /// `POST /introspect`, a random one of many live opaque tokens
    Introspection,
    /// `POST /introspect`, a random one of many live JWTs
    IntrospectionJwt,
    /// `POST /introspect`, text that is no token
    IntrospectionUnknown,
    /// `client_credentials`, an opaque token
    ClientCredentials,
    /// `client_credentials`, a JWT signed with ES256
    ClientCredentialsEs256,
    /// `POST /par`
    Par,
    /// `POST /par` with a signed request, under an assertion
    ParSigned,
    /// `client_credentials` under an assertion, bound to the key of a proof
    ClientCredentialsDpop,
    /// `GET /verify`, a random bound token with its proof
    HookDpop,
    /// `refresh_token` of a confidential client, without rotation
    Refresh,
    /// `refresh_token` of a public client, each token used once
    RefreshRotation,
    /// `GET /authorize` of somebody who is signed in and has consented, to the code
    Authorize,
    /// From `GET /authorize` to the tokens, password and code checked
    SignIn,
}

impl Row {
    /// What it is, and what its ceiling does.
    pub const fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::Discovery => ("discovery", "the same bytes, fixed"),
            Self::Introspection => (
                "introspection, opaque",
                "SHA-256, map look-up, AES-256-GCM-SIV opening, JSON",
            ),
            Self::IntrospectionJwt => (
                "introspection, JWT",
                "SHA-256, map look-up, ES256 verification, JSON read and written",
            ),
            Self::IntrospectionUnknown => (
                "introspection, no token",
                "SHA-256, map look-up, the same bytes, fixed",
            ),
            Self::ClientCredentials => ("client_credentials, opaque", "one durable row"),
            Self::ClientCredentialsEs256 => (
                "client_credentials, ES256",
                "one durable row, one ES256 signature",
            ),
            Self::Par => ("pushed request", "one durable row"),
            Self::ParSigned => (
                "pushed request, signed",
                "two ES256 verifications, one durable row",
            ),
            Self::ClientCredentialsDpop => (
                "client_credentials, assertion and DPoP",
                "two ES256 verifications, one durable row",
            ),
            Self::HookDpop => (
                "proxy hook, DPoP",
                "one ES256 verification, one durable row",
            ),
            Self::Refresh => (
                "refresh, confidential",
                "one row read, one durable row, in one transaction",
            ),
            Self::RefreshRotation => (
                "refresh, public, rotation",
                "one row read and changed, one durable row, in one transaction",
            ),
            Self::Authorize => (
                "session to code",
                "three rows read, one changed, three durable rows, in one transaction",
            ),
            Self::SignIn => ("whole sign-in", "one Argon2id hash"),
        }
    }

    /// Where the ceiling does its part.
    const fn ceiling(self) -> &'static str {
        match self {
            Self::Discovery => "GET /json",
            Self::Introspection => "POST /introspect",
            Self::IntrospectionJwt => "POST /introspect-jwt",
            Self::IntrospectionUnknown => "POST /introspect-unknown",
            Self::ClientCredentials | Self::Par => "POST /row",
            Self::ClientCredentialsEs256 => "POST /row-signed",
            Self::ParSigned | Self::ClientCredentialsDpop => "POST /verified-twice-row",
            Self::HookDpop => "POST /verified-row",
            Self::Refresh => "POST /read-row",
            Self::RefreshRotation => "POST /change-row",
            Self::Authorize => "POST /flow",
            Self::SignIn => "POST /hash",
        }
    }

    /// Whether the first question about a token is more work than all that follow: it is written down.
    pub const fn has_first_uses(self) -> bool {
        matches!(self, Self::Introspection | Self::IntrospectionJwt)
    }

    /// How long to ask before measuring, in milliseconds.
    pub const fn warm(self) -> u64 {
        match self {
            Self::SignIn => 1500,
            _ => 500,
        }
    }
}

/// What one connection asks for, again and again.
pub enum Asker {
    /// A random one of these requests.
    Any {
        /// The requests.
        requests: Arc<[Vec<u8>]>,
        /// What their answers must be.
        right: Right,
        /// The generator's state.
        random: u64,
    },
    /// Each token once, for another of the same family.
    Rotating {
        /// Everything before `Content-Length`.
        head: Arc<str>,
        /// The current tokens of this connection's families.
        tokens: Vec<String>,
        /// Whose turn it is.
        turn: usize,
        /// Whether the answer must bring another token than the one that was sent.
        rotates: bool,
    },
    /// Requests that are signed anew each time.
    Signed(Signed),
    /// Whole sign-ins.
    SignIn(SignIns),
}

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// Its status.
    pub status: u16,
    /// What stands in it: `{"active":false}` is a success for HTTP and may be none for us.
    pub within: &'static str,
}

impl Right {
    const fn ok(within: &'static str) -> Self {
        Self {
            status: 200,
            within,
        }
    }

    /// Fails when it is another.
    pub fn check(self, answer: &Answer<'_>) -> Result<(), Failed> {
        let needle = self.within.as_bytes();
        let stands = |text: &[u8]| text.windows(needle.len().max(1)).any(|part| part == needle);
        if needle.is_empty() || stands(answer.body) || stands(answer.head) {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]);
        Err(format!("an answer without {}: {shown}", self.within).into())
    }
}

impl Asker {
    /// Asks for every `step`th of what it may ask for, from the `first` on, and checks the answers; how
    /// many these were.
    pub async fn each(&self, wire: &mut Wire, first: usize, step: usize) -> Result<usize, Failed> {
        let Self::Any {
            requests, right, ..
        } = self
        else {
            return Ok(0);
        };
        let mut count = 0;
        for request in requests.iter().skip(first).step_by(step) {
            right.check(&wire.ask(request).await?.expect(right.status)?)?;
            count += 1;
        }
        Ok(count)
    }

    /// Asks once and checks the answer.
    pub async fn once(&mut self, wire: &mut Wire) -> Result<(), Failed> {
        match self {
            Self::Any {
                requests,
                right,
                random,
            } => {
                let request = &requests[pick(random, requests.len())];
                let answer = wire.ask(request).await?.expect(right.status)?;
                right.check(&answer)
            }
            Self::Rotating {
                head,
                tokens,
                turn,
                rotates,
            } => {
                *turn = (*turn + 1) % tokens.len();
                let token = &mut tokens[*turn];
                let mut request = Vec::with_capacity(1024);
                let form = form_of_refresh(*rotates);
                compose(&mut request, head, &[form, token]);
                let answer = wire.ask(&request).await?.expect(200)?;
                let next = refresh_token(answer.body)?;
                if (next == token.as_str()) == *rotates {
                    return Err("the refresh token rotated, or not, against the rule".into());
                }
                next.clone_into(token);
                Ok(())
            }
            Self::Signed(signed) => signed.once(wire).await,
            Self::SignIn(sign_ins) => sign_ins.once(wire).await,
        }
    }
}

const fn form_of_refresh(rotates: bool) -> &'static str {
    // A public client says who it is in the form.
    if rotates {
        "grant_type=refresh_token&client_id=bench-public&refresh_token="
    } else {
        "grant_type=refresh_token&refresh_token="
    }
}

/// Finds the refresh token without reading the JSON whole.
fn refresh_token(body: &[u8]) -> Result<&str, Failed> {
    let text = std::str::from_utf8(body)?;
    let found = text
        .split_once("\"refresh_token\":\"")
        .map(|(_, rest)| rest);
    found
        .and_then(|rest| rest.split('"').next())
        .ok_or_else(|| "an answer without a refresh token".into())
}

/// Puts a request together from its head and the parts of its form.
pub fn compose(into: &mut Vec<u8>, head: &str, form: &[&str]) {
    let length: usize = form.iter().map(|part| part.len()).sum();
    into.clear();
    into.extend_from_slice(head.as_bytes());
    into.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    for part in form {
        into.extend_from_slice(part.as_bytes());
    }
}

/// The head of a request with a form, up to its length.
pub fn post(path: &str, host: &str, authorization: Option<&str>) -> String {
    let authorization = authorization
        .map(|value| format!("authorization: {value}\r\n"))
        .unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}\
         content-type: application/x-www-form-urlencoded\r\n"
    )
}

/// A request with a form, put together.
pub fn form(head: &str, form: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    compose(&mut request, head, form);
    request
}

/// xorshift64*: which token is next need not be a secret.
fn pick(state: &mut u64, below: usize) -> usize {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let random = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
    let below = u64::try_from(below).unwrap_or(u64::MAX);
    usize::try_from((random * below) >> 32).unwrap_or(0)
}

/// What each connection asks the server.
pub fn of_server(row: Row, installed: &Installed, connections: usize) -> Vec<Asker> {
    let host = &installed.host;
    let each = |requests: Vec<Vec<u8>>, right| any(&requests.into(), right, connections);
    let introspect = |tokens: &[String], right| {
        let head = post("/introspect", host, Some(&installed.api));
        let ask = |token: &String| form(&head, &["token=", token]);
        each(tokens.iter().map(ask).collect(), right)
    };
    let own = |scope: &str| {
        let asked = format!("grant_type=client_credentials&scope={scope}");
        let ask = |client: &String| form(&post("/token", host, Some(client)), &[&asked]);
        let requests = installed.machines.iter().map(ask).collect();
        each(requests, Right::ok("\"access_token\""))
    };
    let signed = |what| {
        let ask = |n| Asker::Signed(Signed::new(what, host, &installed.partner, n));
        repeat(connections, ask)
    };
    match row {
        Row::Discovery => {
            let path = "/.well-known/openid-configuration";
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            each(vec![request.into_bytes()], Right::ok(""))
        }
        Row::Introspection => introspect(&installed.access_tokens, Right::ok("\"active\":true")),
        Row::IntrospectionJwt => introspect(&installed.jwts, Right::ok("\"active\":true")),
        Row::IntrospectionUnknown => introspect(&installed.garbage, Right::ok("\"active\":false")),
        Row::ClientCredentials => own("accounts%3Aread"),
        Row::ClientCredentialsEs256 => own("cards%3Aread"),
        Row::Par => {
            let ask = |client: &String| {
                form(
                    &post("/par", host, Some(client)),
                    &[&authorization_request()],
                )
            };
            let right = Right {
                status: 201,
                within: "request_uri",
            };
            each(installed.apps.iter().map(ask).collect(), right)
        }
        Row::ParSigned => signed(What::Push),
        Row::ClientCredentialsDpop => signed(What::Token),
        Row::HookDpop => signed(What::Hook),
        Row::Refresh => {
            let head = post("/token", host, Some(&installed.apps[0])).into();
            families(&head, &installed.kept, connections, false)
        }
        Row::RefreshRotation => {
            let head = post("/token", host, None).into();
            families(&head, &installed.rotating, connections, true)
        }
        Row::Authorize => {
            let query = authorization_request();
            let ask = |cookie: &String| {
                let head = format!("GET /authorize?client_id=bench-app&{query} HTTP/1.1\r\n");
                let cookie = format!("{}cs-session={cookie}", tls::cookies());
                format!("{head}host: {host}\r\ncookie: {cookie}\r\n\r\n").into_bytes()
            };
            let right = Right {
                status: 303,
                within: "code=cs_ac_",
            };
            each(installed.sessions.iter().map(ask).collect(), right)
        }
        Row::SignIn => repeat(connections, |_| Asker::SignIn(SignIns::new(installed))),
    }
}

/// What an app asks for, beside its name.
pub fn authorization_request() -> String {
    format!(
        "redirect_uri={REDIRECT_ENCODED}&response_type=code&scope=openid+offline_access+accounts\
         %3Aread&state=af0ifjsldkj-af0ifjsldkj&nonce=n-0S6_WzA2Mj-n-0S6_WzA2Mj\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    )
}

/// What each connection asks the ceiling; as long as what the server is asked.
pub fn of_ceiling(row: Row, installed: &Installed, connections: usize) -> Vec<Asker> {
    let path = row.ceiling();
    let right = Right::ok("");
    let Some(path) = path.strip_prefix("POST ") else {
        let path = path.trim_start_matches("GET ");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", installed.host);
        return any(&vec![request.into_bytes()].into(), right, connections);
    };
    let head = post(path, &installed.host, Some(&installed.machines[0]));
    let about = |tokens: &[String]| {
        let ask = |token: &String| form(&head, &["token=", token]);
        any(&tokens.iter().map(ask).collect(), right, connections)
    };
    let one = |text: &str| any(&vec![form(&head, &[text])].into(), right, connections);
    match row {
        Row::Introspection => about(&installed.ceiling_tokens),
        Row::IntrospectionJwt | Row::ParSigned | Row::ClientCredentialsDpop | Row::HookDpop => {
            about(&installed.jwts)
        }
        Row::IntrospectionUnknown => about(&installed.garbage),
        Row::Refresh | Row::RefreshRotation => {
            let token = installed.kept.first().map_or("", String::as_str);
            one(&format!("{}{token}", form_of_refresh(false)))
        }
        Row::Par | Row::Authorize => one(&authorization_request()),
        _ => one("grant_type=client_credentials&scope=accounts%3Aread"),
    }
}

fn repeat(connections: usize, make: impl Fn(usize) -> Asker) -> Vec<Asker> {
    (0..connections).map(make).collect()
}

/// A random one of these requests on each connection.
pub fn any(requests: &Arc<[Vec<u8>]>, right: Right, connections: usize) -> Vec<Asker> {
    repeat(connections, |n| Asker::Any {
        requests: Arc::clone(requests),
        right,
        random: 0x9E37_79B9_7F4A_7C15_u64.wrapping_add(n as u64),
    })
}

/// Deals the families out to the connections.
pub fn families(head: &Arc<str>, all: &[String], connections: usize, rotates: bool) -> Vec<Asker> {
    repeat(connections, |n| Asker::Rotating {
        head: Arc::clone(head),
        tokens: all.iter().skip(n).step_by(connections).cloned().collect(),
        turn: 0,
        rotates,
    })
}
