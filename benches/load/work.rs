//! What is asked of the server, and of the ceiling beside it.

use std::sync::Arc;

use clap::ValueEnum;

use crate::Failed;
use crate::install::Installed;
use crate::sign_in::SignIns;
use crate::wire::Wire;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// `GET /.well-known/openid-configuration`
    Discovery,
    /// `POST /introspect`, a random one of many live opaque tokens
    Introspection,
    /// `client_credentials`, an opaque token
    ClientCredentials,
    /// `client_credentials`, a JWT signed with ES256
    ClientCredentialsEs256,
    /// `refresh_token` of a confidential client, without rotation
    Refresh,
    /// `refresh_token` of a public client, each token used once
    RefreshRotation,
    /// From `GET /authorize` to the tokens, password and code checked
    SignIn,
}

impl Row {
    /// What it is, and what its ceiling does.
    pub const fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::Discovery => ("discovery", "the same bytes, fixed"),
            Self::Introspection => (
                "introspection",
                "SHA-256, map look-up, AES-256-GCM-SIV opening, JSON",
            ),
            Self::ClientCredentials => ("client_credentials, opaque", "one durable row"),
            Self::ClientCredentialsEs256 => (
                "client_credentials, ES256",
                "one durable row, one ES256 signature",
            ),
            Self::Refresh => (
                "refresh, confidential",
                "one row read, one durable row, in one transaction",
            ),
            Self::RefreshRotation => (
                "refresh, public, rotation",
                "one row read and changed, one durable row, in one transaction",
            ),
            Self::SignIn => ("whole sign-in", "one Argon2id hash"),
        }
    }

    /// Where the ceiling does its part.
    const fn ceiling(self) -> &'static str {
        match self {
            Self::Discovery => "GET /json",
            Self::Introspection => "POST /introspect",
            Self::ClientCredentials => "POST /row",
            Self::ClientCredentialsEs256 => "POST /row-signed",
            Self::Refresh => "POST /read-row",
            Self::RefreshRotation => "POST /change-row",
            Self::SignIn => "POST /hash",
        }
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
    /// The same request.
    Same(Arc<[u8]>),
    /// About a random one of many tokens.
    OneOf {
        /// Everything before `Content-Length`.
        head: Arc<str>,
        /// The tokens.
        tokens: Arc<[String]>,
        /// The generator's state.
        random: u64,
        /// Where requests are put together.
        scratch: Vec<u8>,
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
    /// Whole sign-ins.
    SignIn(SignIns),
}

impl Asker {
    /// Asks once and checks the answer.
    pub async fn once(&mut self, wire: &mut Wire) -> Result<(), Failed> {
        match self {
            Self::Same(request) => wire.ask(request).await?.expect(200).map(drop),
            Self::OneOf {
                head,
                tokens,
                random,
                scratch,
            } => {
                let token = &tokens[pick(random, tokens.len())];
                compose(scratch, head, &["token=", token]);
                let answer = wire.ask(scratch).await?.expect(200)?;
                // {"active":false} is a success for HTTP and none for us.
                if answer.body.len() < 40 {
                    return Err("a live token was called inactive".into());
                }
                Ok(())
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

fn same(head: &str, form: &str) -> Asker {
    let mut request = Vec::new();
    compose(&mut request, head, &[form]);
    Asker::Same(request.into())
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
pub fn of_server(row: Row, installed: &mut Installed, connections: usize) -> Vec<Asker> {
    let host = installed.host.clone();
    let head = |path, client: &str| post(path, &host, Some(client));
    let machine = &installed.machine;
    let token = |scope| {
        let form = format!("grant_type=client_credentials&scope={scope}");
        same(&head("/token", machine), &form)
    };
    match row {
        Row::Discovery => {
            let path = "/.well-known/openid-configuration";
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let request: Arc<[u8]> = request.into_bytes().into();
            repeat(connections, |_| Asker::Same(Arc::clone(&request)))
        }
        Row::Introspection => {
            let head = head("/introspect", &installed.api).into();
            any(&head, &installed.access_tokens, connections)
        }
        Row::ClientCredentials => repeat(connections, |_| token("accounts%3Aread")),
        Row::ClientCredentialsEs256 => repeat(connections, |_| token("cards%3Aread")),
        Row::Refresh => {
            let head = head("/token", &installed.app).into();
            families(&head, &installed.kept, connections, false)
        }
        Row::RefreshRotation => {
            let head = post("/token", &host, None).into();
            families(&head, &installed.rotating, connections, true)
        }
        Row::SignIn => repeat(connections, |_| Asker::SignIn(SignIns::new(installed))),
    }
}

/// What each connection asks the ceiling; as long as what the server is asked.
pub fn of_ceiling(row: Row, installed: &Installed, connections: usize) -> Vec<Asker> {
    let path = row.ceiling();
    let Some(path) = path.strip_prefix("POST ") else {
        let path = path.trim_start_matches("GET ");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", installed.host);
        let request: Arc<[u8]> = request.into_bytes().into();
        return repeat(connections, |_| Asker::Same(Arc::clone(&request)));
    };
    let head: Arc<str> = post(path, &installed.host, Some(&installed.machine)).into();
    match row {
        Row::Introspection => any(&head, &installed.ceiling_tokens, connections),
        Row::Refresh | Row::RefreshRotation => {
            let token = installed.kept.first().map_or("", String::as_str);
            let form = format!("{}{token}", form_of_refresh(false));
            repeat(connections, |_| same(&head, &form))
        }
        _ => {
            let form = "grant_type=client_credentials&scope=accounts%3Aread";
            repeat(connections, |_| same(&head, form))
        }
    }
}

fn repeat(connections: usize, make: impl Fn(usize) -> Asker) -> Vec<Asker> {
    (0..connections).map(make).collect()
}

fn any(head: &Arc<str>, tokens: &Arc<[String]>, connections: usize) -> Vec<Asker> {
    repeat(connections, |n| Asker::OneOf {
        head: Arc::clone(head),
        tokens: Arc::clone(tokens),
        random: 0x9E37_79B9_7F4A_7C15_u64.wrapping_add(n as u64),
        scratch: Vec::with_capacity(1024),
    })
}

/// Deals the families out to the connections.
fn families(head: &Arc<str>, all: &[String], connections: usize, rotates: bool) -> Vec<Asker> {
    repeat(connections, |n| Asker::Rotating {
        head: Arc::clone(head),
        tokens: all.iter().skip(n).step_by(connections).cloned().collect(),
        turn: 0,
        rotates,
    })
}
