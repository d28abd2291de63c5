//! nginx in front, with the configuration that is delivered.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::ProxyFile;
use countersign::flows::Caller;
use countersign::http::Peer;

use super::root;
use crate::support::certificates::{Algorithm, Authority, Files};
use crate::support::template::{self, Directory};

/// Debian's nginx; killed when the test ends.
struct Nginx {
    child: Child,
    port: u16,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Nginx {
    fn start(directory: &Path, files: &Files, upstream: u16, change: fn(String) -> String) -> Self {
        let (port, plain) = (free_port(), free_port());
        let delivered = root().join("packaging/nginx/countersign.conf");
        let delivered = fs::read_to_string(delivered).unwrap();
        let own = delivered
            .lines()
            .filter(|line| !line.contains("[::]:"))
            .map(|line| {
                line.replace("listen 443 ", &format!("listen 127.0.0.1:{port} "))
                    .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"))
                    .replace("127.0.0.1:9400", &format!("127.0.0.1:{upstream}"))
                    .replace("login.bank.example", "localhost")
                    .replace(
                        "/etc/nginx/tls/chain.pem",
                        files.certificate.to_str().unwrap(),
                    )
                    .replace("/etc/nginx/tls/key.pem", files.key.to_str().unwrap())
                    + "\n"
            })
            .collect::<String>();
        let here = directory.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {here}/{name};\n"))
            .collect();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {here}/nginx.pid;\nerror_log {here}/error.log;\n\
             events {{}}\nhttp {{\n{temporary}{}}}\n",
            change(own)
        );
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, whole).unwrap();
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"];
        let program = program.iter().find(|path| Path::new(path).exists());
        let child = Command::new(program.expect("nginx is installed; tests/run does it"))
            .arg("-c")
            .arg(&configuration)
            .args(["-e", "/dev/null"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, port };
        for _ in 0..600 {
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return nginx;
            }
            let log = || fs::read_to_string(directory.join("error.log"));
            assert!(nginx.child.try_wait().unwrap().is_none(), "{:?}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx does not listen");
    }

    /// Asks as a browser at 127.0.0.2 that knows the server by its name; the whole answer.
    async fn get(&self, authority: &Path, url: &str, more: &[&str]) -> String {
        let (host, own) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split('/').next())
            .and_then(|authority| authority.split_once(':'))
            .unwrap();
        let mut command = Command::new("curl");
        command
            .args([
                "--silent",
                "--show-error",
                "--include",
                "--interface",
                "127.0.0.2",
            ])
            .arg("--cacert")
            .arg(authority)
            .args([
                "--connect-to",
                &format!("{host}:{own}:127.0.0.1:{}", self.port),
            ])
            .args(more)
            .arg(url);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.unwrap().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Countersign on loopback, with one more page that tells whom its flows would write down.
async fn behind(directory: &Directory) -> (Arc<App>, u16) {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = template::sqlite(directory);
    let issuer = format!("https://localhost:{port}");
    let mut config = template::config(&issuer, &url, directory.path());
    config.proxy = ProxyFile {
        peers: vec!["127.0.0.1/32".to_owned()],
        ..ProxyFile::default()
    }
    .check()
    .unwrap();
    let app = App::open(config, &template::ROOT, Clock::manual(template::START))
        .await
        .unwrap();
    let told = get(|Extension(caller): Extension<Caller>| async move {
        caller.address.unwrap().to_string()
    });
    let told = countersign::http::around(Router::new().route("/told", told), Arc::clone(&app));
    let router = countersign::http::router(Arc::clone(&app));
    let service = router
        .merge(told)
        .layer(Extension(Peer(Ipv4Addr::LOCALHOST.into())));
    tokio::spawn(async move { axum::serve(listener, service).await });
    (app, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_seen_through_it_and_what_they_claim_is_not_believed() {
    let directory = Directory::new();
    let authority = Authority::new();
    let files = authority.issue(directory.path(), "localhost", Algorithm::Ecdsa, 2199);
    let trusted = directory.path().join("authority.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    let (app, port) = behind(&directory).await;
    let nginx = Nginx::start(directory.path(), &files, port, |own| own);
    let at = |path: &str| app.config.issuer.at(path);
    let page = nginx.get(&trusted, &at("/sign-in"), &[]).await;
    assert!(page.starts_with("HTTP/2 200"), "{page}");
    assert!(
        page.contains("strict-transport-security: max-age="),
        "{page}"
    );
    let told = nginx.get(&trusted, &at("/told"), &[]).await;
    assert!(told.ends_with("127.0.0.2"), "{told}");
    let forged = [
        "-H",
        "X-Forwarded-For: 203.0.113.66",
        "-H",
        "Forwarded: for=203.0.113.67",
        // Countersign would refuse these.
        "-H",
        "Client-Cert: :AQID:",
        "-H",
        "Client-Cert-Chain: :AQID:",
    ];
    let told = nginx.get(&trusted, &at("/told"), &forged).await;
    assert!(told.ends_with("127.0.0.2"), "{told}");
    for path in ["/verify", "/verify/", "/verify/accounts"] {
        let closed = nginx.get(&trusted, &at(path), &[]).await;
        assert!(closed.starts_with("HTTP/2 404"), "{closed}");
        assert!(
            closed.contains("<center>nginx</center>") || closed.contains("nginx/"),
            "{closed}"
        );
    }
    for old in ["1.0", "1.1"] {
        let refused = Command::new("curl")
            .args(["--silent", "--insecure", "--tls-max", old, "--tlsv1.0"])
            .arg(format!("https://127.0.0.1:{}/", nginx.port))
            .output()
            .unwrap();
        assert!(!refused.status.success(), "TLS {old}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_host_header_the_page_names_the_directive() {
    let directory = Directory::new();
    let authority = Authority::new();
    let files = authority.issue(directory.path(), "localhost", Algorithm::Ecdsa, 2199);
    let trusted = directory.path().join("authority.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    let (app, port) = behind(&directory).await;
    let forgotten = |own: String| own.replace("proxy_set_header Host", "# proxy_set_header Host");
    let nginx = Nginx::start(directory.path(), &files, port, forgotten);
    let page = nginx
        .get(&trusted, &app.config.issuer.at("/sign-in"), &[])
        .await;
    assert!(page.starts_with("HTTP/2 421"), "{page}");
    assert!(page.contains("proxy_set_header Host $http_host"), "{page}");
}
