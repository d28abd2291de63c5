//! Userinfo (OpenID Connect Core §5.3).

use rules::jose::Alg;

use crate::support::{AuthRequest, Reply, Spec, TestServer, jwt};

on_both![
    it_tells_what_the_scopes_ask_for,
    it_is_asked_by_get_and_by_post,
    a_token_in_the_query_is_not_accepted,
    without_a_token_it_says_which_scheme,
    credentials_of_another_kind_are_none,
    a_bad_token_is_refused_with_a_challenge,
    a_clients_own_token_has_nobody_behind_it,
    an_id_token_is_no_access_token,
    a_client_may_register_for_signed_answers,
    a_malformed_request_is_challenged_too,
    two_tokens_at_once_are_refused,
];

async fn ask(server: &TestServer, token: &str) -> Reply {
    Reply::of(server.http.get(server.at("/userinfo")).bearer_auth(token)).await
}

async fn it_tells_what_the_scopes_ask_for(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
    let told = ask(&server, &tokens.access).await.ok();
    assert_eq!(told, serde_json::json!({ "sub": ada.id.to_string() }));
    let scope = "openid profile email address phone";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let told = ask(&server, &tokens.access).await.ok();
    assert_eq!(told["name"], "ada Example");
    assert_eq!(told["email"], "ada@mail.example");
    assert_eq!(told["email_verified"], true);
    assert_eq!(told["address"]["locality"], "Uppsala");
    assert_eq!(told["phone_number"], "+46 18 000 00");
}

async fn it_is_asked_by_get_and_by_post(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let get = ask(&server, &tokens.access).await;
    let post = server.http.post(server.at("/userinfo"));
    let header = Reply::of(post.try_clone().unwrap().bearer_auth(&tokens.access)).await;
    let body = Reply::of(post.form(&[("access_token", &tokens.access)])).await;
    assert_eq!(get.json, header.json);
    assert_eq!(get.json, body.json);
    assert!(get.header("cache-control").contains("no-store"));
    get.ok();
}

async fn a_token_in_the_query_is_not_accepted(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid")
        .await;
    let reply = server
        .get(&format!("/userinfo?access_token={}", tokens.access))
        .await;
    assert!(matches!(reply.status, 400 | 401), "{}", reply.body);
    let get = server.http.get(server.at("/userinfo"));
    let lower = get.header("authorization", format!("bearer {}", tokens.access));
    Reply::of(lower).await.ok();
}

async fn without_a_token_it_says_which_scheme(server: TestServer) {
    let reply = server.get("/userinfo").await;
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    // RFC 6750 §3.1: no error code when no credentials were sent.
    assert!(!challenge.contains("error="), "{challenge}");
}

async fn credentials_of_another_kind_are_none(server: TestServer) {
    for sent in ["Basic YTpi", "Negotiate abc", "basic"] {
        let request = server.http.get(server.at("/userinfo"));
        let reply = Reply::of(request.header("authorization", sent)).await;
        assert_eq!(reply.status, 401, "{sent}");
        let challenge = reply.header("www-authenticate");
        assert!(
            challenge.contains("Bearer") && challenge.contains("DPoP"),
            "{challenge}"
        );
        assert!(!challenge.contains("error="), "RFC 6750 §3.1: {challenge}");
    }
}

async fn a_bad_token_is_refused_with_a_challenge(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid")
        .await;
    app.revoke(&server, &tokens.access).await;
    for token in [
        tokens.access.as_str(),
        "x",
        "cs_at_garbage",
        &tokens.refresh,
    ] {
        let reply = ask(&server, token).await;
        assert_eq!(reply.status, 401, "{}", reply.body);
        assert!(
            reply
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
    }
}

async fn a_clients_own_token_has_nobody_behind_it(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let reply = ask(&server, reply["access_token"].as_str().unwrap()).await;
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .header("www-authenticate")
            .contains("error=\"insufficient_scope\"")
    );
}

async fn an_id_token_is_no_access_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid")
        .await;
    assert_eq!(ask(&server, &tokens.id).await.status, 401);
}

async fn a_client_may_register_for_signed_answers(server: TestServer) {
    let ada = server.person("ada").await;
    for alg in [Alg::Rs256, Alg::Es256, Alg::Ps256, Alg::EdDsa] {
        let mut spec = Spec::confidential(alg.as_str());
        spec.metadata.userinfo_signed_response_alg = Some(alg);
        let app = server.register(spec).await;
        let request = AuthRequest::new(&app, "openid email");
        let mut browser = server.browser();
        let code = browser.walk(&server, &request, &ada).await.code();
        let tokens = request.redeem(&server, &app, &code).await;
        let reply = ask(&server, &tokens.access).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("content-type"), "application/jwt");
        assert!(reply.header("cache-control").contains("no-store"));
        let jwt::Verified { header, claims } = jwt::verify(&server, &reply.body).await;
        assert_eq!(format!("{:?}", header.alg), alg.as_str());
        assert_eq!(claims["iss"], server.issuer.as_str());
        assert_eq!(claims["aud"], app.id.as_str());
        assert_eq!(claims["sub"], ada.id.to_string());
        assert_eq!(claims["email"], "ada@mail.example");
        assert!(claims.get("nonce").is_none());
        // It is no ID token, so it is no hint.
        let hinted = AuthRequest::new(&app, "openid").with("id_token_hint", &reply.body);
        let pushed = hinted.push(&server, &app).await;
        pushed.refused(400, "invalid_request");
    }
}

async fn a_malformed_request_is_challenged_too(server: TestServer) {
    let get = server.http.get(server.at("/userinfo"));
    let empty = Reply::of(get.header("authorization", "Bearer")).await;
    let post = server.http.post(server.at("/userinfo")).bearer_auth("x");
    let twice = Reply::of(post.form(&[("access_token", "x")])).await;
    for reply in [empty, twice] {
        assert_eq!(reply.status, 400, "{}", reply.body);
        let challenge = reply.header("www-authenticate");
        assert!(
            challenge.contains("error=\"invalid_request\""),
            "{challenge}"
        );
    }
}

/// Of two headers a proxy may have judged the other one.
async fn two_tokens_at_once_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let scope = "openid accounts:read";
    let tokens = server.browser().code_flow(&server, &app, &ada, scope).await;
    for second in [tokens.access.as_str(), "cs_at_rubbish"] {
        for request in [
            server.http.get(server.at("/userinfo")),
            server.http.post(server.at("/userinfo")),
        ] {
            let request = request.bearer_auth(&tokens.access).bearer_auth(second);
            Reply::of(request).await.refused(400, "invalid_request");
        }
    }
}
