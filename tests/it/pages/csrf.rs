//! Forms are taken from our own pages only.

use crate::support::{AuthRequest, Page, Spec, TestServer, people};

on_both![
    a_post_that_says_nothing_of_its_origin_is_refused,
    a_post_from_another_site_is_refused,
    a_post_from_our_own_page_is_taken,
];

/// Every address that takes a form, with a form that would do something.
async fn targets(
    server: &TestServer,
    browser: &mut crate::support::Browser,
) -> Vec<(String, Vec<(&'static str, String)>)> {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    browser
        .code_flow(server, &app, &ada, "openid accounts:read")
        .await;
    let account = browser.get("/account").await;
    let request = AuthRequest::new(&app, "openid cards:read");
    let consent = browser.begin(server, &request).await;
    let signing = AuthRequest::new(&app, "openid cards:read").with("prompt", "login");
    let signing = browser.begin(server, &signing).await;
    let (_, link) = people::invite(server, "bea").await;
    server.advance(30);
    let credentials = vec![
        ("username", "ada".to_owned()),
        ("password", ada.password.clone()),
        ("code", ada.code(server)),
    ];
    let allow = vec![("decision", "allow".to_owned())];
    vec![
        (link, vec![]),
        (
            "/activate/password".to_owned(),
            vec![("password", "x".to_owned())],
        ),
        (
            "/activate/factor".to_owned(),
            vec![("code", "000000".to_owned())],
        ),
        (
            "/activate/codes".to_owned(),
            vec![("confirm", "x".to_owned())],
        ),
        ("/passkeys/ask".to_owned(), vec![]),
        (
            "/account/passkeys/add".to_owned(),
            vec![("kind", "passkey".to_owned())],
        ),
        (
            "/account/passkeys/new".to_owned(),
            vec![("credential", "{}".to_owned())],
        ),
        ("/activate/passkey/ask".to_owned(), vec![]),
        ("/sign-in".to_owned(), credentials.clone()),
        (signing.form("/sign-in").unwrap(), credentials),
        (signing.form("/cancel").unwrap(), vec![]),
        (consent.form("/consent").unwrap(), allow),
        (consent.form("/switch").unwrap(), vec![]),
        (account.form("/stop").unwrap(), vec![]),
        (account.form("/end").unwrap(), vec![]),
        ("/sign-out".to_owned(), vec![]),
        ("/language".to_owned(), vec![("lang", "de".to_owned())]),
    ]
}

fn refused(page: &Page, address: &str) {
    assert_eq!(page.status, 403, "{address}: {page:?}");
    assert!(
        page.set_cookies().is_empty() && page.location().is_empty(),
        "{address}"
    );
}

async fn a_post_that_says_nothing_of_its_origin_is_refused(server: TestServer) {
    let mut browser = server.browser();
    for (address, form) in targets(&server, &mut browser).await {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let page = browser.post_from(&address, &form, None).await;
        refused(&page, &address);
    }
    assert!(browser.is_signed_in().await);
    assert!(browser.get("/account").await.body.contains("The app app"));
}

async fn a_post_from_another_site_is_refused(server: TestServer) {
    let mut browser = server.browser();
    let near = format!("{}.evil.example", server.issuer);
    let port = server.issuer.replace("localhost", "127.0.0.1");
    for (address, form) in targets(&server, &mut browser).await {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        for origin in [
            "https://evil.example",
            "null",
            "",
            near.as_str(),
            &port,
            "http://localhost",
        ] {
            let page = browser.post_from(&address, &form, Some(origin)).await;
            refused(&page, &address);
        }
        for site in ["cross-site", "same-site", "none"] {
            let url = if address.starts_with('/') {
                server.at(&address)
            } else {
                address.clone()
            };
            let request = server
                .http
                .post(url)
                .form(&form)
                .header("sec-fetch-site", site);
            let with_origin = request
                .try_clone()
                .unwrap()
                .header("origin", "https://evil.example");
            for request in [request, with_origin] {
                let page = browser.send(request).await;
                refused(&page, &address);
            }
        }
    }
    assert!(browser.is_signed_in().await);
    assert!(browser.get("/account").await.body.contains("The app app"));
}

async fn a_post_from_our_own_page_is_taken(server: TestServer) {
    let mut browser = server.browser();
    let ada = server.person("ada").await;
    server.advance(30);
    let code = ada.code(&server);
    let form = [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", code.as_str()),
    ];
    let request = server.http.post(server.at("/sign-in")).form(&form);
    browser
        .send(request.header("sec-fetch-site", "same-origin"))
        .await;
    assert!(browser.is_signed_in().await);
}
