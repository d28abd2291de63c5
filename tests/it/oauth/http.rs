//! HTTP itself at the machine endpoints: methods, media types, sizes, hosts, ids.

use reqwest::Method;

use crate::support::{Page, Reply, Spec, TestServer};

on_both![
    wrong_methods_are_not_allowed,
    wrong_media_types_are_refused,
    two_media_types_are_refused,
    a_body_over_the_limit_is_refused,
    a_body_at_the_limit_is_read,
    a_wrong_host_gets_a_page_that_names_the_issuer,
    health_is_told_to_whoever_asks,
    every_answer_carries_a_request_id,
    an_unknown_path_is_not_found,
    bodies_that_are_no_text_are_refused,
    overlong_parameters_and_too_many_are_refused,
    web_apps_on_other_origins_may_read_the_token_endpoint_and_not_the_pages,
    json_instead_of_a_form_is_refused,
];

const MACHINE: [&str; 4] = ["/token", "/par", "/introspect", "/revoke"];

async fn wrong_methods_are_not_allowed(server: TestServer) {
    let mut table = vec![
        (Method::POST, "/.well-known/openid-configuration"),
        (Method::DELETE, "/.well-known/oauth-authorization-server"),
        (Method::POST, "/jwks"),
        (Method::PUT, "/userinfo"),
        (Method::PUT, "/authorize"),
        (Method::DELETE, "/account"),
        (Method::PUT, "/sign-in"),
        (Method::POST, "/healthz"),
    ];
    for path in MACHINE {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            table.push((method, path));
        }
    }
    for (method, path) in table {
        let reply = Reply::of(server.http.request(method.clone(), server.at(path))).await;
        assert_eq!(reply.status, 405, "{method} {path}");
        // RFC 9110 §15.5.6
        assert!(!reply.header("allow").is_empty(), "{method} {path}");
    }
}

async fn wrong_media_types_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let body = "grant_type=client_credentials&scope=accounts%3Aread";
    for path in MACHINE {
        for media in [
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "",
            "x",
        ] {
            let request = server
                .http
                .post(server.at(path))
                .header("authorization", app.basic());
            let request = if media.is_empty() {
                request
            } else {
                request.header("content-type", media)
            };
            let reply = Reply::of(request.body(body)).await;
            assert!(
                matches!(reply.status, 400 | 415),
                "{path} {media}: {}",
                reply.body
            );
            reply.well_formed_error();
        }
    }
    let request = server
        .http
        .post(server.at("/token"))
        .header("authorization", app.basic());
    let media = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    Reply::of(request.header("content-type", media).body(body))
        .await
        .ok();
}

async fn json_instead_of_a_form_is_refused(server: TestServer) {
    let json = serde_json::json!({ "grant_type": "client_credentials", "client_id": 7 });
    for path in MACHINE {
        let reply = Reply::of(server.http.post(server.at(path)).json(&json)).await;
        assert!(matches!(reply.status, 400 | 415), "{path}");
        reply.well_formed_error();
    }
}

async fn a_body_over_the_limit_is_refused(server: TestServer) {
    let body = format!("token={}", "x".repeat(64 * 1024));
    for path in [MACHINE.as_slice(), &["/authorize", "/userinfo"]].concat() {
        let request = server.http.post(server.at(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let reply = Reply::of(request.body(body.clone())).await;
        assert_eq!(reply.status, 413, "{path}: {}", reply.body);
    }
    let mut browser = server.browser();
    let long = "x".repeat(64 * 1024);
    for path in ["/sign-in", "/activate/password"] {
        let page = browser.post(path, &[("password", &long)]).await;
        assert!((400..500).contains(&page.status), "{path}: {}", page.status);
    }
}

async fn a_body_at_the_limit_is_read(server: TestServer) {
    // Eight values at the limit of one value: refused for what it says, not for its size.
    let form: String = (0..7)
        .map(|n| format!("p{n}={}&", "x".repeat(8 * 1024)))
        .collect();
    let request = server.http.post(server.at("/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = Reply::of(request.body(form)).await;
    assert!(matches!(reply.status, 400 | 401), "{}", reply.status);
    reply.well_formed_error();
}

async fn a_wrong_host_gets_a_page_that_names_the_issuer(server: TestServer) {
    let port = server.issuer.rsplit(':').next().unwrap().to_owned();
    for host in [
        "evil.example".to_owned(),
        "localhost".to_owned(),
        format!("127.0.0.1:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("evil.example:{port}"),
    ] {
        for path in [
            "/sign-in",
            "/token",
            "/jwks",
            "/.well-known/openid-configuration",
            "/nothing",
        ] {
            let request = server.http.get(server.at(path)).header("host", &host);
            let page = Page::of(request).await;
            assert_eq!(page.status, 421, "{host} {path}");
            assert!(page.body.contains(&server.issuer), "{host}: {}", page.body);
        }
    }
}

async fn health_is_told_to_whoever_asks(server: TestServer) {
    for path in ["/healthz", "/readyz"] {
        let request = server.http.get(server.at(path)).header("host", "10.0.0.7");
        assert_eq!(Page::of(request).await.status, 200, "{path}");
    }
}

async fn every_answer_carries_a_request_id(server: TestServer) {
    let mut seen = std::collections::BTreeSet::new();
    for path in [
        "/jwks",
        "/token",
        "/sign-in",
        "/nothing",
        "/authorize",
        "/healthz",
    ] {
        let reply = server.get(path).await;
        let id = reply.header("x-request-id").to_owned();
        assert!(!id.is_empty(), "{path}");
        assert!(seen.insert(id), "an id came twice");
    }
    // A client cannot choose it, and so cannot write into the log.
    let request = server
        .http
        .get(server.at("/jwks"))
        .header("x-request-id", "forged");
    assert_ne!(Reply::of(request).await.header("x-request-id"), "forged");
}

async fn an_unknown_path_is_not_found(server: TestServer) {
    for path in [
        "/nothing",
        "/token/",
        "/interaction/x/y",
        "/.well-known/x",
        "//",
        "/static/../x",
        "/%00",
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
    }
    assert_eq!(server.get("/static/nothing.css").await.status, 404);
    assert!(server.get("/interaction/unknown").await.status >= 400);
}

async fn bodies_that_are_no_text_are_refused(server: TestServer) {
    let media = "application/x-www-form-urlencoded";
    for body in [
        "token=%ff%fe",
        "token=a%00b",
        "client_id=a%0d%0ab&token=x",
        "%ff=x&token=%c3%28",
    ] {
        let request = server
            .http
            .post(server.at("/introspect"))
            .header("content-type", media);
        let reply = Reply::of(request.body(body)).await;
        assert!(
            matches!(reply.status, 400 | 401),
            "{body}: {}",
            reply.status
        );
        reply.well_formed_error();
    }
    let raw: Vec<u8> = (0..=255).collect();
    let request = server
        .http
        .post(server.at("/token"))
        .header("content-type", media);
    let reply = Reply::of(request.body(raw)).await;
    assert!(matches!(reply.status, 400 | 401));
}

async fn overlong_parameters_and_too_many_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let long = "x".repeat(9000);
    for name in ["scope", "code", "resource", "refresh_token", "anything"] {
        let form = [("grant_type", "client_credentials"), (name, long.as_str())];
        let reply = app.token(&server, &form).await;
        reply.refused(400, "invalid_request");
        assert!(
            reply.text("error_description").contains(name),
            "{}",
            reply.body
        );
    }
    let names: Vec<String> = (0..100).map(|n| format!("p{n}")).collect();
    let form: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    app.token(&server, &form)
        .await
        .refused(400, "invalid_request");
}

async fn web_apps_on_other_origins_may_read_the_token_endpoint_and_not_the_pages(
    server: TestServer,
) {
    let origin = "https://spa.example";
    let table = [
        (Method::POST, "/token"),
        (Method::GET, "/userinfo"),
        (Method::GET, "/jwks"),
        (Method::GET, "/.well-known/openid-configuration"),
    ];
    for (method, path) in table {
        let request = server
            .http
            .request(method, server.at(path))
            .header("origin", origin);
        let reply = Reply::of(request).await;
        let allowed = reply.header("access-control-allow-origin");
        assert!(
            matches!(allowed, "*" | "https://spa.example"),
            "{path}: {allowed}"
        );
        assert_eq!(reply.header("access-control-allow-credentials"), "");
    }
    let preflight = server.http.request(Method::OPTIONS, server.at("/token"));
    let preflight = preflight
        .header("origin", origin)
        .header("access-control-request-method", "POST");
    let reply = Reply::of(preflight).await;
    assert!(matches!(reply.status, 200 | 204), "{}", reply.status);
    for path in ["/authorize", "/account", "/sign-in", "/introspect"] {
        let request = server.http.get(server.at(path)).header("origin", origin);
        assert_eq!(
            Reply::of(request)
                .await
                .header("access-control-allow-origin"),
            "",
            "{path}"
        );
    }
}

async fn two_media_types_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let form = "application/x-www-form-urlencoded";
    for second in ["application/json", form] {
        let request = server.http.post(server.at("/token"));
        let request = request
            .header("authorization", app.basic())
            .header("content-type", form)
            .header("content-type", second)
            .body("grant_type=client_credentials&scope=accounts%3Aread");
        Reply::of(request).await.refused(400, "invalid_request");
    }
}
