//! Clients and APIs.

use axum::body::Body;
use http::Request;
use rules::audit::Kind;

use super::support::{Got, as_client, get, guessing, send, send_to};
use crate::support::{ClientApp, Spec, TestServer};

on_both_limited!["10/min";
    documents_are_limited_by_address,
    each_endpoint_limits_its_client,
    one_client_does_not_use_up_anothers_allowance,
    waiting_as_long_as_told_is_enough_and_not_a_moment_less,
    guesses_at_a_client_are_cut_off_where_they_come_from_alone,
    the_right_secret_waits_too_where_it_was_guessed_at,
    one_address_in_many_clients_names_is_cut_off,
    an_address_with_many_failures_still_has_its_good_clients,
    rotating_within_an_ipv6_network_is_no_use,
    requests_without_credentials_are_limited,
    wrong_tokens_are_cut_off_where_they_come_from,
    userinfo_is_limited_by_token,
    a_public_client_is_limited_by_address,
    what_little_is_left_is_told,
    what_is_turned_away_is_counted_for_the_audit_log,
    assets_and_probes_are_not_limited,
    what_is_refused_before_anybody_looks_is_cut_off,
];

const OWN: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

async fn token(server: &TestServer, from: &str, client: &ClientApp) -> Got {
    as_client(server, from, (client, "/token"), &OWN).await
}

async fn documents_are_limited_by_address(server: TestServer) {
    for path in ["/jwks", "/.well-known/openid-configuration"] {
        let from = format!("192.0.2.{}", path.len());
        for _ in 0..10 {
            assert_eq!(get(&server, &from, path).await.status, 200);
        }
        let turned_away = get(&server, &from, path).await;
        turned_away.wait("documents_per_address");
        assert!(turned_away.body.contains("temporarily_unavailable"));
        assert_eq!(turned_away.header("access-control-allow-origin"), "*");
        assert_eq!(get(&server, "198.51.100.1", path).await.status, 200);
    }
}

async fn each_endpoint_limits_its_client(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for (path, limit) in [
        ("/token", "token_per_client"),
        ("/par", "push_per_client"),
        ("/introspect", "introspection_per_client"),
    ] {
        let form = match path {
            "/token" => OWN.to_vec(),
            _ => vec![("token", "x")],
        };
        let mut last = None;
        for n in 0..11 {
            // Wherever it comes from.
            let from = format!("192.0.2.{n}");
            last = Some(as_client(&server, &from, (&app, path), &form).await);
        }
        let turned_away = last.unwrap();
        turned_away.wait(limit);
        assert!(
            turned_away.body.contains("\"temporarily_unavailable\""),
            "{}",
            turned_away.body
        );
        assert_eq!(turned_away.header("content-type"), "application/json");
    }
}

async fn one_client_does_not_use_up_anothers_allowance(server: TestServer) {
    let one = server.register(Spec::confidential("one")).await;
    let two = server.register(Spec::confidential("two")).await;
    for _ in 0..20 {
        token(&server, "192.0.2.1", &one).await;
    }
    assert_eq!(token(&server, "192.0.2.1", &one).await.status, 429);
    assert_eq!(token(&server, "192.0.2.1", &two).await.status, 200);
}

async fn waiting_as_long_as_told_is_enough_and_not_a_moment_less(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for _ in 0..10 {
        assert_eq!(token(&server, "192.0.2.1", &app).await.status, 200);
    }
    let wait = token(&server, "192.0.2.1", &app)
        .await
        .wait("token_per_client");
    server.advance(wait - 1);
    assert_eq!(token(&server, "192.0.2.1", &app).await.status, 429);
    server.advance(1);
    assert_eq!(token(&server, "192.0.2.1", &app).await.status, 200);
}

async fn guesses_at_a_client_are_cut_off_where_they_come_from_alone(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for _ in 0..10 {
        let refused = token(&server, "192.0.2.66", &guessing(&app)).await;
        assert_eq!(refused.status, 401);
    }
    let turned_away = token(&server, "192.0.2.66", &guessing(&app)).await;
    turned_away.wait("client_failures_per_address");
    // The client itself, elsewhere, notices nothing.
    assert_eq!(token(&server, "192.0.2.1", &app).await.status, 200);
}

async fn the_right_secret_waits_too_where_it_was_guessed_at(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for _ in 0..10 {
        token(&server, "192.0.2.66", &guessing(&app)).await;
    }
    let turned_away = token(&server, "192.0.2.66", &app).await;
    server.advance(turned_away.wait("client_failures_per_address"));
    assert_eq!(token(&server, "192.0.2.66", &app).await.status, 200);
}

async fn one_address_in_many_clients_names_is_cut_off(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let named = |n: u32| ClientApp {
        id: format!("nobody-{n}"),
        ..app.clone()
    };
    for n in 0..10 {
        assert_eq!(token(&server, "192.0.2.66", &named(n)).await.status, 401);
    }
    let turned_away = token(&server, "192.0.2.66", &named(10)).await;
    turned_away.wait("failures_per_address");
    assert_eq!(token(&server, "192.0.2.67", &named(10)).await.status, 401);
}

async fn an_address_with_many_failures_still_has_its_good_clients(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let nobody = ClientApp {
        id: "nobody".to_owned(),
        ..app.clone()
    };
    for _ in 0..20 {
        token(&server, "192.0.2.66", &nobody).await;
    }
    assert_eq!(token(&server, "192.0.2.66", &nobody).await.status, 429);
    assert_eq!(token(&server, "192.0.2.66", &app).await.status, 200);
}

async fn rotating_within_an_ipv6_network_is_no_use(server: TestServer) {
    for n in 0..10 {
        let from = format!("2001:db8:1:2::{n:x}");
        assert_eq!(get(&server, &from, "/jwks").await.status, 200);
    }
    get(&server, "2001:db8:1:2:ffff::1", "/jwks")
        .await
        .wait("documents_per_address");
    assert_eq!(get(&server, "2001:db8:1:3::1", "/jwks").await.status, 200);
}

async fn requests_without_credentials_are_limited(server: TestServer) {
    for path in ["/par", "/token", "/introspect", "/revoke"] {
        let from = format!("192.0.2.{}", path.len());
        let ask = || Request::post(path).body(Body::empty()).unwrap();
        for _ in 0..10 {
            let refused = send(&server, &from, ask()).await;
            assert!(refused.status.is_client_error() && refused.status != 429);
        }
        send(&server, &from, ask())
            .await
            .wait("failures_per_address");
    }
}

async fn wrong_tokens_are_cut_off_where_they_come_from(server: TestServer) {
    let ask = |token: &str| {
        let request = Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    for n in 0..10 {
        let refused = send(&server, "192.0.2.66", ask(&format!("guess-{n}"))).await;
        assert_eq!(refused.status, 401);
    }
    send(&server, "192.0.2.66", ask("guess"))
        .await
        .wait("failures_per_address");
    assert_eq!(send(&server, "192.0.2.67", ask("guess")).await.status, 401);
}

async fn userinfo_is_limited_by_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    server.advance(600);
    let mut browser = server.browser();
    let one = browser
        .code_flow(&server, &app, &ada, "openid profile")
        .await;
    server.advance(60);
    let two = browser
        .code_flow(&server, &app, &ada, "openid profile")
        .await;
    let ask = |token: &str| {
        let request = Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    for n in 0..10 {
        let from = format!("192.0.2.{n}");
        assert_eq!(send(&server, &from, ask(&one.access)).await.status, 200);
    }
    send(&server, "192.0.2.99", ask(&one.access))
        .await
        .wait("userinfo_per_token");
    assert_eq!(
        send(&server, "192.0.2.99", ask(&two.access)).await.status,
        200
    );
}

async fn a_public_client_is_limited_by_address(server: TestServer) {
    server.register(Spec::public("phone")).await;
    let ask = || {
        let form = "client_id=phone&token=x";
        let request = Request::post("/revoke");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(Body::from(form)).unwrap()
    };
    for _ in 0..10 {
        assert_eq!(send(&server, "192.0.2.66", ask()).await.status, 200);
    }
    send(&server, "192.0.2.66", ask())
        .await
        .wait("public_client_per_address");
    assert_eq!(send(&server, "192.0.2.1", ask()).await.status, 200);
}

async fn what_little_is_left_is_told(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for left in (0..10).rev() {
        let got = token(&server, "192.0.2.1", &app).await;
        let told = got.header("ratelimit");
        if left > 5 {
            assert_eq!(told, "");
        } else {
            assert_eq!(
                told,
                format!("\"token_per_client\";r={left};t={}", 6 * (10 - left))
            );
            assert_eq!(
                got.header("ratelimit-policy"),
                "\"token_per_client\";q=10;w=60"
            );
        }
    }
}

async fn what_is_turned_away_is_counted_for_the_audit_log(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for _ in 0..30 {
        token(&server, "192.0.2.1", &app).await;
    }
    for n in 0..1000 {
        get(&server, &format!("192.0.2.{}", n % 50), "/jwks").await;
    }
    let counted = server.app.refusals.take();
    let counted: Vec<_> = counted
        .iter()
        .filter(|(refused, _)| refused.kind == Kind::LimitReached)
        .map(|(refused, n)| (refused.client.as_deref(), refused.reason, *n))
        .collect();
    assert_eq!(counted.len(), 2, "{counted:?}");
    assert!(
        counted.contains(&(Some("app"), "token_per_client", 20)),
        "{counted:?}"
    );
    assert!(
        counted.contains(&(None, "documents_per_address", 500)),
        "{counted:?}"
    );
}

async fn what_is_refused_before_anybody_looks_is_cut_off(server: TestServer) {
    let own = server.issuer.strip_prefix("http://").unwrap();
    for (n, (hosts, path, status)) in [
        (vec![own], "/static/nope", 404),
        (vec![own], "/verify", 404),
        (vec!["evil.example"], "/token", 421),
        (vec![own, own], "/token", 400),
    ]
    .into_iter()
    .enumerate()
    {
        let from = format!("192.0.2.{n}");
        let request = || Request::get(path).body(Body::empty()).unwrap();
        for _ in 0..10 {
            let got = send_to(&server, &hosts, &from, request()).await;
            assert_eq!(got.status, status, "{path}");
        }
        let got = send_to(&server, &hosts, &from, request()).await;
        got.wait("failures_per_address");
        // Others are heard.
        assert_eq!(get(&server, "198.51.100.9", "/sign-in").await.status, 200);
    }
}

async fn assets_and_probes_are_not_limited(server: TestServer) {
    for path in ["/static/countersign.css", "/healthz", "/readyz"] {
        for _ in 0..50 {
            assert_eq!(get(&server, "192.0.2.1", path).await.status, 200);
        }
    }
}
