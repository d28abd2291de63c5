//! TLS as clients and auditors meet it (BCP 195, FAPI 2.0 SP §5.2.1).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use countersign::server::tls::Tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Running, config, settings};
use crate::support::certificates::{Algorithm, Authority};
use crate::support::template::{Directory, START};

const BOTH: [Algorithm; 2] = [Algorithm::Rsa, Algorithm::Ecdsa];

async fn connect(
    running: &Running,
    client: rustls::ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
}

/// A `ClientHello` of the old kind, which offers `version` at the most.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let ciphers = [
        0xc0, 0x14, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x09, 0x00, 0x35, 0x00, 0x2f,
    ];
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, u8::try_from(ciphers.len()).unwrap()]);
    body.extend(ciphers);
    body.extend([1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

async fn answer_to(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_0_and_1_1_are_refused_by_an_alert() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    for version in [[3, 1], [3, 2]] {
        let answer = answer_to(running.address, &hello(version)).await;
        // RFC 8446 §6: an alert, fatal: handshake_failure or protocol_version.
        assert_eq!((answer[0], answer[5]), (0x15, 2), "{answer:?}");
        assert!([40, 70].contains(&answer[6]), "{answer:?}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_3_wins_over_1_2_with_a_post_quantum_key_exchange() {
    for algorithm in BOTH {
        let running = Running::over_tls(algorithm).await;
        let client = running.authority.tls(&[&TLS12, &TLS13]);
        let stream = connect(&running, client).await.unwrap();
        let agreed = stream.get_ref().1;
        assert_eq!(agreed.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let group = agreed.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
        drop(stream);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_agrees_to_ecdhe_and_aes_gcm_alone() {
    use CipherSuite as C;
    for algorithm in BOTH {
        let running = Running::over_tls(algorithm).await;
        let mut agreed = Vec::new();
        for suite in rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES {
            if suite.version() == &TLS13 {
                continue;
            }
            let mut provider = rustls::crypto::aws_lc_rs::default_provider();
            provider.cipher_suites = vec![*suite];
            let roots = running.authority.roots();
            let client = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[&TLS12])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            if let Ok(stream) = connect(&running, client).await {
                agreed.push(
                    stream
                        .get_ref()
                        .1
                        .negotiated_cipher_suite()
                        .unwrap()
                        .suite(),
                );
            }
        }
        let expected = match algorithm {
            Algorithm::Rsa => [
                C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ],
            Algorithm::Ecdsa => [
                C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            ],
        };
        assert_eq!(agreed, expected, "{algorithm:?}");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_and_1_1_are_offered_and_hsts_is_sent() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let mut client = running.authority.tls(&[&TLS13]);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut stream = connect(&running, client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // RFC 9113 §3.4: the preface, then a SETTINGS frame, here an empty one.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 0x04, "the answer begins with SETTINGS");
    drop(stream);
    let metadata = running.at("/.well-known/openid-configuration");
    let http = running.authority.http().build().unwrap();
    let answer = http.get(&metadata).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let hsts = answer.headers()["strict-transport-security"]
        .to_str()
        .unwrap();
    assert_eq!(hsts, "max-age=63072000; includeSubDomains");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_resumed_but_carries_no_early_data() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let mut client = running.authority.tls(&[&TLS13]);
    client.enable_early_data = true;
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&running, client.clone()).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert!(!stream.get_ref().1.is_early_data_accepted());
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    assert_eq!(
        kinds,
        [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_on_the_tls_port_is_told_so() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let sent = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = String::from_utf8(answer_to(running.address, sent).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("begins with https."), "{answer}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_listener_redirects_readers_and_refuses_secrets() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let redirect = running.redirect.unwrap();
    let sent = b"GET /account?x=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let answer = String::from_utf8(answer_to(redirect, sent).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    let to = format!("location: {}\r\n", running.at("/account?x=1"));
    assert!(answer.contains(&to), "{answer}");
    let sent = b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let answer = String::from_utf8(answer_to(redirect, sent).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    running.stop().await;
}

/// Asks as fast as it can, on connections that last and on new ones, until it is told to stop.
fn load(
    running: &Running,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) -> Vec<tokio::task::JoinHandle<()>> {
    // Not limited, however often it is asked.
    let url = running.at("/healthz");
    let lasting = running.authority.http();
    let fresh = running.authority.http().pool_max_idle_per_host(0);
    [lasting, fresh]
        .into_iter()
        .map(|http| {
            let http = http.build().unwrap();
            let (url, stop, answered) = (url.clone(), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = http.get(&url).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_reloads_under_load_drop_no_request() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let loops = load(&running, Arc::clone(&stop), Arc::clone(&answered));
    let tls = running.tls.clone().unwrap();
    let mut serials = std::collections::BTreeSet::from([tls.certificate().serial]);
    for _ in 0..20 {
        // Each certificate is met by requests before the next one comes.
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 6 {
            tokio::task::yield_now().await;
        }
        let directory = running.directory.path();
        running
            .authority
            .issue(directory, "localhost", Algorithm::Ecdsa, 2027);
        serials.insert(tls.reload(START).unwrap().serial);
    }
    assert_eq!(serials.len(), 21);
    stop.store(true, Ordering::Relaxed);
    for requests in loops {
        requests.await.unwrap();
    }
    let stream = connect(&running, running.authority.tls(&[&TLS13]))
        .await
        .unwrap();
    let presented = &stream.get_ref().1.peer_certificates().unwrap()[0];
    let file = fs::read(running.directory.path().join("certificate.pem")).unwrap();
    let newest = CertificateDer::from_pem_slice(&file).unwrap();
    assert_eq!(*presented, newest);
    drop(stream);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_that_is_not_in_order_leaves_the_old_one() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let tls = running.tls.clone().unwrap();
    let before = tls.certificate();
    let directory = running.directory.path();
    let file = directory.join("certificate.pem");
    let key = directory.join("certificate.key");
    let good = (fs::read(&file).unwrap(), fs::read(&key).unwrap());
    let authority = &running.authority;
    let refused = |what: &str, spoil: &dyn Fn()| {
        spoil();
        let why = tls.reload(START).unwrap_err();
        assert!(why.contains(what), "{why}");
        assert_eq!(tls.certificate(), before);
        fs::write(&file, &good.0).unwrap();
        fs::write(&key, &good.1).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    };
    refused("cannot be read", &|| fs::remove_file(&file).unwrap());
    refused("holds no certificate", &|| fs::write(&file, "").unwrap());
    refused("ended on", &|| {
        authority.issue(directory, "localhost", Algorithm::Ecdsa, 2025);
    });
    refused("not for localhost", &|| {
        authority.issue(directory, "other.example", Algorithm::Ecdsa, 2027);
    });
    refused("must belong together", &|| {
        authority.issue(directory, "localhost", Algorithm::Ecdsa, 2027);
        fs::write(&key, &good.1).unwrap();
    });
    refused("holds no private key", &|| {
        fs::write(&key, "secret").unwrap();
    });
    refused("chmod 640", &|| {
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    });
    let http = running.authority.http().build().unwrap();
    assert_eq!(
        http.get(running.at("/jwks")).send().await.unwrap().status(),
        200
    );
    assert!(tls.reload(START).is_ok());
    running.stop().await;
}

#[test]
fn behind_a_proxy_a_certificate_may_have_another_name() {
    let directory = Directory::new();
    let files = Authority::new().issue(directory.path(), "inner.example", Algorithm::Rsa, 2027);
    let mut config = config(&directory);
    config.tls = settings(&files.certificate, &files.key);
    let why = Tls::open(&config, START).unwrap_err();
    assert!(why.starts_with("tls.certificate_file: "), "{why}");
    config.proxy = countersign::config::ProxyFile {
        peers: vec!["10.0.0.1".to_owned()],
        ..Default::default()
    }
    .check()
    .unwrap();
    let certificate = Tls::open(&config, START).unwrap().unwrap().certificate();
    assert!(certificate.of_another_name);
    assert!(certificate.days_left(START) > 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_handshake() {
    let running = Running::over_tls(Algorithm::Ecdsa).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut halfway = TcpStream::connect(running.address).await.unwrap();
    halfway.write_all(&hello([3, 3])[..20]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(9), running.stop())
        .await
        .expect("no handshake was waited for");
    for stream in [&mut silent, &mut halfway] {
        assert!(!matches!(stream.read(&mut [0; 9]).await, Ok(1..)));
    }
}
