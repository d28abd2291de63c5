//! A partner's back-channel logout endpoint: a real listener on loopback that answers as it is told
//! and keeps what it got.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With this status and body.
    Says(u16, String),
    /// With a redirect to this address.
    Redirects(String),
    /// With this status and a body that does not end.
    Endless(u16),
    /// Never.
    Hangs,
}

/// A message that it got.
#[derive(Clone, Debug)]
pub struct Message {
    /// The method.
    pub method: String,
    /// Its `Content-Type`.
    pub content_type: String,
    /// The fields of its form.
    pub form: Vec<(String, String)>,
}

impl Message {
    /// The logout token.
    #[track_caller]
    pub fn token(&self) -> &str {
        let [(name, token)] = self.form.as_slice() else {
            panic!("not one field alone: {:?}", self.form);
        };
        assert_eq!(name, "logout_token");
        token
    }
}

/// The endpoint.
#[derive(Clone)]
pub struct Receiver {
    /// Its address.
    pub uri: String,
    manner: Arc<Mutex<Manner>>,
    got: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    /// Starts one that answers 200.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self {
            uri: format!("http://127.0.0.1:{port}/logout"),
            manner: Arc::new(Mutex::new(Manner::Says(200, String::new()))),
            got: Arc::default(),
        };
        let service = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        receiver
    }

    /// Lets it answer otherwise.
    pub fn answer(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Lets it answer with a status.
    pub fn status(&self, status: u16) {
        self.answer(Manner::Says(status, String::new()));
    }

    /// Everything that it got.
    pub fn got(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }
}

async fn take(State(receiver): State<Receiver>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let content_type = parts.headers.get(CONTENT_TYPE);
    receiver.got.lock().unwrap().push(Message {
        method: parts.method.to_string(),
        content_type: content_type.map_or("", |v| v.to_str().unwrap()).to_owned(),
        form: url::form_urlencoded::parse(&body).into_owned().collect(),
    });
    let manner = receiver.manner.lock().unwrap().clone();
    match manner {
        Manner::Says(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Manner::Redirects(to) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response(),
        Manner::Endless(status) => {
            let chunk = || Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]);
            let body = futures_util::stream::repeat_with(chunk);
            let body = Body::from_stream(body);
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Manner::Hangs => std::future::pending().await,
    }
}
