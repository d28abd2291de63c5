//! Debian's Apache with `libapache2-mod-auth-openidc`: sign-in as relying party, and an API that
//! introspects.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use rules::protocol::Metadata;

use super::program::{Program, examples, free_port};
use crate::support::{Browser, ClientApp, Reply, Spec, TestServer, jwt};

on_both_now![
    apache_signs_people_in,
    apache_signs_people_out,
    apache_asks_about_every_token,
];

const MODULES: [&str; 8] = [
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "dir",
    "headers",
    "mime",
    "auth_openidc",
];

struct Apache {
    _program: Program,
    home: String,
}

async fn start(server: &TestServer) -> Apache {
    let port = free_port();
    let home = format!("http://127.0.0.1:{port}");
    let spec = Spec::confidential("site")
        .redirect(&[&format!("{home}/callback")])
        .metadata(Metadata {
            post_logout_redirect_uris: vec![format!("{home}/signed-out.html")],
            ..Metadata::default()
        });
    let client = server.register(spec).await;
    let folder = server.directory.path();
    let mut command = Command::new("/usr/sbin/apache2");
    command
        .args(["-DFOREGROUND", "-f"])
        .arg(around(folder, port))
        .env("ISSUER", &server.issuer)
        .env("CLIENT_ID", &client.id)
        .env("CLIENT_SECRET", &client.secret)
        .env("HOME_PAGE", &home)
        .env("PASSPHRASE", jwt::random_id())
        .env("API_CLIENT_ID", &server.accounts.id)
        .env("API_CLIENT_SECRET", &server.accounts.secret);
    Apache {
        _program: Program::start(command, port).await,
        home,
    }
}

/// What stands around the guide's file: modules and folders. What Apache learnt is told in headers.
fn around(folder: &Path, port: u16) -> String {
    let site = folder.join("site");
    fs::create_dir(&site).unwrap();
    for (name, text) in [
        ("index.html", "the site"),
        ("signed-out.html", "signed out"),
        ("accounts", "the accounts"),
    ] {
        fs::write(site.join(name), text).unwrap();
    }
    let shown = folder.display();
    let mut text = format!(
        "ServerRoot {shown}\nServerName localhost\nPidFile {shown}/apache.pid\n\
         Listen 127.0.0.1:{port}\nErrorLog {shown}/apache.log\nMutex file:{shown} default\n"
    );
    for module in MODULES {
        let file = format!("/usr/lib/apache2/modules/mod_{module}.so");
        writeln!(text, "LoadModule {module}_module {file}").unwrap();
    }
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        text.push_str("User nobody\nGroup nogroup\n");
    }
    let example = examples().join("apache.conf");
    write!(
        text,
        "TypesConfig /etc/mime.types\nDocumentRoot {shown}/site\nDirectoryIndex index.html\n\
         Header always set X-Sub %{{OIDC_CLAIM_sub}}e\n\
         Header always set X-Email %{{OIDC_CLAIM_email}}e\nInclude {}\n",
        example.display()
    )
    .unwrap();
    let file = folder.join("apache.conf");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn apache_signs_people_in(server: TestServer) {
    let apache = start(&server).await;
    let ada = server.person("ada").await;
    let mut visitor = Browser::new(server.http.clone(), &apache.home);
    let page = visitor.get("/index.html").await;
    let to = page.location().to_owned();
    assert!(to.starts_with(&server.at("/authorize")), "{page:?}");
    assert!(to.contains("code_challenge_method=S256"), "{to}");
    let mut bank = server.browser();
    let page = bank.open(&to).await;
    let answer = bank.go_on(&server, page, &ada).await;
    let page = visitor.open(answer.page.location()).await;
    assert_eq!((page.status, page.body.as_str()), (200, "the site"));
    assert_eq!(page.header("x-sub"), ada.id.to_string());
    assert_eq!(page.header("x-email"), "ada@mail.example");
    // An answer that it did not ask for signs nobody in.
    let mut other = Browser::new(server.http.clone(), &apache.home);
    let page = other.get(answer.page.location()).await;
    assert!(page.header("x-sub") != ada.id.to_string(), "{page:?}");
    let page = other.get("/index.html").await;
    assert!(page.location().starts_with(&server.at("/authorize")));
}

/// Its session ends first, then the one at the bank, which sends her back.
async fn apache_signs_people_out(server: TestServer) {
    let apache = start(&server).await;
    let ada = server.person("ada").await;
    let mut visitor = Browser::new(server.http.clone(), &apache.home);
    let page = visitor.get("/index.html").await;
    let mut bank = server.browser();
    let page = bank.open(page.location()).await;
    let answer = bank.go_on(&server, page, &ada).await;
    let page = visitor.open(answer.page.location()).await;
    assert_eq!(page.body, "the site");
    assert!(bank.is_signed_in().await);

    let back = format!("{}/signed-out.html", apache.home);
    let page = visitor.get(&format!("/callback?logout={back}")).await;
    let to = page.location().to_owned();
    assert!(to.starts_with(&server.at("/end_session")), "{page:?}");
    assert!(to.contains("id_token_hint="), "{to}");
    let page = bank.open(&to).await;
    let returned = page.location().to_owned();
    assert!(returned.starts_with(&back), "{page:?}");
    assert!(!bank.is_signed_in().await);
    let page = visitor.get(&returned).await;
    assert_eq!((page.status, page.body.as_str()), (200, "signed out"));
    let page = visitor.get("/index.html").await;
    assert!(page.location().starts_with(&server.at("/authorize")));
}

async fn apache_asks_about_every_token(server: TestServer) {
    let apache = start(&server).await;
    let app = server.register(Spec::confidential("app")).await;
    let get = |token: String| {
        let request = server.http.get(format!("{}/accounts", apache.home));
        Reply::of(request.bearer_auth(token))
    };
    let good = token(&server, &app, "accounts:read").await;
    for _ in 0..2 {
        let reply = get(good.clone()).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "the accounts"));
        assert_eq!(reply.header("x-sub"), "app");
    }
    let other = token(&server, &app, "transactions:read").await;
    assert_eq!(get(other).await.status, 401);
    assert_eq!(get("cs_at_rubbish".to_owned()).await.status, 401);
    app.revoke(&server, &good).await;
    assert_eq!(get(good).await.status, 401);
}

async fn token(server: &TestServer, app: &ClientApp, scope: &str) -> String {
    let reply = app.client_credentials(server, scope).await.ok();
    reply["access_token"].as_str().unwrap().to_owned()
}
