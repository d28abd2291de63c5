//! Debian's nginx with `libnginx-mod-http-js` in front of an API.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::program::{Program, examples, free_port};
use crate::fapi::{Holder, hook};
use crate::support::{Engine, Reply, Spec, TestServer};

on_both_now![nginx_asks_about_every_token];

on_both_engines![
    nginx_passes_a_bound_token_with_a_proof_for_this_request_alone,
    nginx_hands_on_the_nonce_that_a_proof_needs,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_alone_asks_the_hook_about_every_request() {
    let server = hook::start(Engine::Sqlite).await;
    let nginx = asking_the_hook(&server).await;
    asked_about_every_request(&server, &nginx).await;
    let url = format!("http://127.0.0.1:{}/_verify", nginx.port);
    assert_eq!(Reply::of(server.http.get(url)).await.status, 404);
}

/// nginx alone, by the guide's file.
async fn asking_the_hook(server: &TestServer) -> Program {
    let guide = fs::read_to_string(examples().join("nginx-hook.conf")).unwrap();
    start_with(server, &guide, "").await
}

/// What a caller asks nginx for, as it stands in the guide's file.
const URL: &str = "https://api.bank.example/accounts/7";

/// GETs it with a token and a proof, and with what a caller may write beside them.
async fn get(proxy: &Program, token: &str, proof: &str, beside: (&str, &str)) -> Reply {
    let at = format!("http://127.0.0.1:{}/accounts/7?page=2", proxy.port);
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(at);
    let request = request.header("authorization", token).header("dpop", proof);
    Reply::of(request.header(beside.0, beside.1)).await
}

async fn nginx_passes_a_bound_token_with_a_proof_for_this_request_alone(engine: Engine) {
    let server = hook::start(engine).await;
    let nginx = asking_the_hook(&server).await;
    passes_a_bound_token(&server, &nginx).await;
}

/// What any proxy does that asks the hook.
pub(super) async fn passes_a_bound_token(server: &TestServer, proxy: &Program) {
    const NOTHING: (&str, &str) = ("x-beside", "nothing");
    let (app, token) = hook::bound(server).await;
    let dpop = format!("DPoP {token}");
    let by = |holder: &Holder, method: &str, url: &str| {
        let claims = hook::claims(server, method, url, &token);
        holder.sign(&holder.header(), &claims)
    };
    let good = by(&app.holder, "GET", URL);
    let reply = get(proxy, &dpop, &good, NOTHING).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body.trim(), "app app");

    // The same proof again; one for another address, method or API; whoever has another key.
    let elsewhere = "https://api.bank.example/accounts/8";
    let other = by(&app.holder, "GET", elsewhere);
    for (proof, beside) in [
        (good, NOTHING),
        (other.clone(), NOTHING),
        // What a caller says of the request is not believed.
        (other, ("x-original-url", elsewhere)),
        (by(&app.holder, "POST", URL), ("x-original-method", "POST")),
        (
            by(&app.holder, "GET", "https://evil.example/accounts/7"),
            ("host", "evil.example"),
        ),
        (by(&Holder::new(), "GET", URL), NOTHING),
        (String::new(), NOTHING),
    ] {
        let reply = get(proxy, &dpop, &proof, beside).await;
        assert_eq!(reply.status, 401, "{proof} {beside:?}");
        let challenge = reply.header("www-authenticate");
        assert!(challenge.starts_with("DPoP "), "{challenge}");
    }
    // Not as a token that whoever has it may use, with a good proof beside it either.
    let fresh = by(&app.holder, "GET", URL);
    let reply = get(proxy, &format!("Bearer {token}"), &fresh, NOTHING).await;
    assert_eq!(reply.status, 401, "{}", reply.body);
    // None of that spoilt the token, and the proxy removes what would make the address ambiguous.
    let beside = ("x-forwarded-uri", "/accounts/8");
    let reply = get(proxy, &dpop, &by(&app.holder, "GET", URL), beside).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

async fn nginx_hands_on_the_nonce_that_a_proof_needs(engine: Engine) {
    let server = hook::start(engine).await;
    let nginx = asking_the_hook(&server).await;
    hands_on_the_nonce(&server, &nginx).await;
}

/// What any proxy does that asks the hook.
pub(super) async fn hands_on_the_nonce(server: &TestServer, proxy: &Program) {
    let (app, token) = hook::bound_with_nonces(server).await;
    let dpop = format!("DPoP {token}");
    let mut claims = hook::claims(server, "GET", URL, &token);
    let proof = app.holder.sign(&app.holder.header(), &claims);
    let reply = get(proxy, &dpop, &proof, ("x-beside", "nothing")).await;
    assert_eq!(reply.status, 401, "{}", reply.body);
    let challenge = reply.header("www-authenticate");
    assert!(challenge.contains("use_dpop_nonce"), "{challenge}");
    claims["nonce"] = reply.header("dpop-nonce").into();
    let proof = app.holder.sign(&app.holder.header(), &claims);
    let reply = get(proxy, &dpop, &proof, ("x-beside", "nothing")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// The guide's file with this machine's addresses, and what stands around it.
async fn start(server: &TestServer) -> Program {
    let folder = server.directory.path();
    let pair = format!("{}:{}", server.accounts.id, server.accounts.secret);
    let guide = fs::read_to_string(examples().join("nginx.conf")).unwrap();
    assert!(guide.contains("BASIC_CREDENTIALS"));
    let guide = guide.replace("BASIC_CREDENTIALS", &STANDARD.encode(pair));
    fs::copy(
        examples().join("introspect.js"),
        folder.join("introspect.js"),
    )
    .unwrap();
    let module = "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;\n";
    start_with(server, &guide, module).await
}

/// A guide's file in the `http` block of an nginx of its own.
async fn start_with(server: &TestServer, guide: &str, module: &str) -> Program {
    let (port, behind) = (free_port(), free_port());
    let folder = server.directory.path();
    let mut guide: String = guide
        .lines()
        .filter(|line| !line.contains("proxy_ssl_"))
        .map(|line| format!("{line}\n"))
        .collect();
    for (example, here) in [
        ("127.0.0.1:8082", format!("127.0.0.1:{port}")),
        ("127.0.0.1:8083", format!("127.0.0.1:{behind}")),
        ("https://login.bank.example", server.issuer.clone()),
    ] {
        assert!(guide.contains(example), "{example}");
        guide = guide.replace(example, &here);
    }
    let shown = folder.display();
    let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {shown}/{kind};\n"))
        .concat();
    let text = format!(
        "{module}daemon off;\n\
         pid {shown}/nginx.pid;\nerror_log {shown}/nginx.log;\nevents {{}}\nhttp {{\n\
         access_log off;\n{scratch}{guide}\nserver {{ listen 127.0.0.1:{behind}; location / {{ \
         return 200 \"$http_x_sub $http_x_client $http_authorization\"; }} }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file);
    command.arg("-e").arg(folder.join("nginx.log"));
    Program::start(command, port).await
}

async fn nginx_asks_about_every_token(server: TestServer) {
    let nginx = start(&server).await;
    asked_about_every_request(&server, &nginx).await;
    // The doors between nginx's own locations are closed from outside.
    for inner in ["/_token", "/_introspect"] {
        let url = format!("http://127.0.0.1:{}{inner}", nginx.port);
        assert_eq!(Reply::of(server.http.get(url)).await.status, 404);
    }
}

/// What any proxy does that asks about each request.
pub(super) async fn asked_about_every_request(server: &TestServer, proxy: &Program) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let scope = "openid accounts:read";
    let tokens = server.browser().code_flow(server, &app, &ada, scope).await;
    let get = |token: &str| {
        let request = server
            .http
            .get(format!("http://127.0.0.1:{}/accounts", proxy.port));
        // What a caller says of itself is not believed.
        Reply::of(request.header("x-sub", "mallory").bearer_auth(token))
    };
    let reply = get(&tokens.access).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body.trim(), format!("{} app", ada.id));

    let other = app.client_credentials(server, "transactions:read").await;
    let reply = get(other.ok()["access_token"].as_str().unwrap()).await;
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
    for bad in ["cs_at_rubbish", "a%26token%3Db", ""] {
        let reply = get(bad).await;
        assert_eq!(reply.status, 401, "{bad}");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
    }
    app.revoke(server, &tokens.access).await;
    assert_eq!(get(&tokens.access).await.status, 401);
}
