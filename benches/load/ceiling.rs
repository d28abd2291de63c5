//! The bare server: the same HTTP stack, and of each row only what cannot be left out. What the
//! server under test reaches of this is what its rules, its audit and its safety leave.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::rng;
use countersign::secret::sha256;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::Failed;
use crate::rows::{Job, Rows};
use crate::tls::Files;

/// What the bare server must know.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// Its own database.
    pub database: String,
    /// What discovery answers.
    pub discovery: String,
    /// The `Authorization` header that it accepts.
    pub authorization: String,
    /// The key of its tokens.
    pub key: [u8; 32],
    /// The point of the public key that verifies JWTs, uncompressed.
    pub point: Vec<u8>,
    /// What it speaks TLS with.
    pub tls: Option<Files>,
}

/// What a token of the bare server holds.
#[derive(Serialize, Deserialize)]
struct Record {
    active: bool,
    iss: String,
    sub: String,
    client_id: String,
    aud: Vec<String>,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
}

struct Bare {
    discovery: Bytes,
    clients: HashMap<[u8; 32], String>,
    key: LessSafeKey,
    signer: EcdsaKeyPair,
    verifier: ParsedPublicKey,
    random: SystemRandom,
    rows: Rows,
    hashes: mpsc::Sender<oneshot::Sender<()>>,
}

/// Serves until the process is ended. Prints its port first.
pub fn run(plan: &Path) -> Result<(), Failed> {
    let plan: Plan = serde_json::from_slice(&std::fs::read(plan)?)?;
    // The runtime that the server has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(plan))
}

async fn serve(plan: Plan) -> Result<(), Failed> {
    let random = SystemRandom::new();
    let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(alg, &random)?;
    let client = (sha256(&[plan.authorization.as_bytes()]), "bench".to_owned());
    let bare = Arc::new(Bare {
        discovery: plan.discovery.into(),
        clients: HashMap::from([client]),
        key: sealing_key(&plan.key)?,
        signer: EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref())?,
        verifier: ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &plan.point)?,
        random,
        rows: Rows::open(&plan.database).await?,
        hashes: hasher()?,
    });
    let router = Router::new()
        .route("/json", get(discovery))
        .route("/introspect", post(introspect))
        .route("/introspect-jwt", post(introspect_jwt))
        .route("/introspect-unknown", post(introspect_unknown))
        .route("/verified-row", post(|s, h, f| verified_row(s, h, f, 1)))
        .route(
            "/verified-twice-row",
            post(|s, h, f| verified_row(s, h, f, 2)),
        )
        .route("/row", post(|s, h| token(s, h, Job::Append, false)))
        .route("/row-signed", post(|s, h| token(s, h, Job::Append, true)))
        .route("/read-row", post(|s, h| token(s, h, Job::Read, false)))
        .route("/change-row", post(|s, h| token(s, h, Job::Change, false)))
        .route("/flow", post(|s, h| token(s, h, Job::Flow, false)))
        .route("/hash", post(hash))
        .with_state(bare);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let Some(files) = plan.tls else {
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        return Ok(axum::serve(listener, router).await?);
    };
    let acceptor = files.acceptor()?;
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(router);
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        });
    }
}

impl Bare {
    fn knows(&self, headers: &HeaderMap) -> bool {
        let presented = headers.get(header::AUTHORIZATION);
        presented.is_some_and(|value| self.clients.contains_key(&sha256(&[value.as_bytes()])))
    }
}

async fn discovery(State(bare): State<Arc<Bare>>) -> Response {
    json(bare.discovery.clone())
}

async fn introspect(State(bare): State<Arc<Bare>>, headers: HeaderMap, form: Bytes) -> Response {
    if !bare.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = form.strip_prefix(b"token=").unwrap_or_default();
    match open(&bare.key, token) {
        Some(body) => json(body.into()),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn introspect_jwt(
    State(bare): State<Arc<Bare>>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    if !bare.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match verified(&bare.verifier, &form) {
        Some(body) => json(body.into()),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The claims of a JWT, read and written again.
fn verified(key: &ParsedPublicKey, form: &[u8]) -> Option<Vec<u8>> {
    let token = std::str::from_utf8(form.strip_prefix(b"token=")?).ok()?;
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify_sig(signed.as_bytes(), &signature).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
    let claims: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&claims).ok()?;
    serde_json::to_vec(&claims).ok()
}

async fn introspect_unknown(State(bare): State<Arc<Bare>>, headers: HeaderMap) -> Response {
    if !bare.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    json(Bytes::from_static(b"{\"active\":false}"))
}

fn open(key: &LessSafeKey, token: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = URL_SAFE_NO_PAD
        .decode(token.strip_prefix(b"cs_at_")?)
        .ok()?;
    let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = key.open_in_place(nonce, Aad::empty(), rest).ok()?;
    let record: Record = postcard::from_bytes(plain).ok()?;
    serde_json::to_vec(&record).ok()
}

async fn token(
    State(bare): State<Arc<Bare>>,
    headers: HeaderMap,
    job: Job,
    signed: bool,
) -> Response {
    if !bare.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !bare.rows.run(job).await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let signature = if signed {
        match bare.signer.sign(&bare.random, &[0x5a; 400]) {
            Ok(signature) => URL_SAFE_NO_PAD.encode(signature.as_ref()),
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    } else {
        String::new()
    };
    let padding = "x".repeat(400);
    json(format!("{{\"access_token\":\"{padding}.{signature}\",\"token_type\":\"Bearer\"}}").into())
}

/// A JWT verified so many times, then a token for one durable row.
async fn verified_row(
    State(bare): State<Arc<Bare>>,
    headers: HeaderMap,
    form: Bytes,
    times: usize,
) -> Response {
    for _ in 0..times {
        if verified(&bare.verifier, &form).is_none() {
            return StatusCode::BAD_REQUEST.into_response();
        }
    }
    token(State(bare), headers, Job::Append, false).await
}

async fn hash(State(bare): State<Arc<Bare>>) -> Response {
    let (reply, answer) = oneshot::channel();
    if bare.hashes.send(reply).is_err() || answer.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    json("{}".into())
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// One thread that hashes at the server's default cost, in memory that it keeps.
fn hasher() -> Result<mpsc::Sender<oneshot::Sender<()>>, Failed> {
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (hashes, waiting) = mpsc::channel::<oneshot::Sender<()>>();
    thread::Builder::new().spawn(move || {
        let mut out = [0; 32];
        for reply in waiting {
            let password = b"nineteen quiet herons 7 wade";
            let salt = b"sixteen bytes...";
            if argon2
                .hash_password_into_with_memory(password, salt, &mut out, &mut memory)
                .is_ok()
            {
                let _ = reply.send(());
            }
        }
    })?;
    Ok(hashes)
}

fn sealing_key(key: &[u8]) -> Result<LessSafeKey, Failed> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key)?))
}

/// As many tokens of the bare server; each about as long as one of the server under test.
pub fn tokens(key: &[u8; 32], many: usize) -> Result<Vec<String>, Failed> {
    let key = sealing_key(key)?;
    let mut tokens = Vec::with_capacity(many);
    for n in 0..many {
        let id = format!("{n:032x}");
        let record = Record {
            active: true,
            iss: "http://127.0.0.1:40000".to_owned(),
            sub: id.clone(),
            client_id: "bench-app".to_owned(),
            aud: vec!["https://api.bank.example/accounts".to_owned()],
            scope: "accounts:read".to_owned(),
            iat: 1_700_000_000,
            exp: 1_800_000_000,
            jti: id,
        };
        let nonce = rng::bytes::<NONCE_LEN>()?;
        let mut sealed = postcard::to_stdvec(&record)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::empty(), &mut sealed)?;
        let body = [nonce.as_slice(), &sealed].concat();
        tokens.push(format!("cs_at_{}", URL_SAFE_NO_PAD.encode(body)));
    }
    Ok(tokens)
}
