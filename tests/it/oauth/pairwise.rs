//! Pairwise subjects (OpenID Connect Core §8.1).

use rules::protocol::client_metadata::SubjectType;
use serde_json::Value;

use crate::support::{ClientApp, Person, Reply, Spec, TestServer, Tokens, jwt};

on_both![
    two_sectors_know_a_person_by_two_names,
    one_sector_knows_her_by_one,
    it_stays_the_same_everywhere_and_always,
    no_token_tells_sectors_what_they_could_compare,
    what_is_revoked_for_the_person_still_ends,
    several_hosts_need_a_sector_identifier,
    a_new_redirect_uri_never_changes_the_sector_unnoticed,
];

fn pairwise(id: &str, uris: &[&str], sector: Option<&str>) -> Spec {
    let mut spec = Spec::confidential(id).redirect(uris);
    spec.metadata.subject_type = SubjectType::Pairwise;
    spec.metadata.sector_identifier_uri = sector.map(str::to_owned);
    spec
}

async fn subject(server: &TestServer, app: &ClientApp, person: &Person) -> String {
    let tokens = flow(server, app, person, "openid").await;
    let claims = jwt::verify(server, &tokens.id).await.claims;
    claims["sub"].as_str().unwrap().to_owned()
}

async fn flow(server: &TestServer, app: &ClientApp, person: &Person, scope: &str) -> Tokens {
    server.browser().code_flow(server, app, person, scope).await
}

async fn two_sectors_know_a_person_by_two_names(server: TestServer) {
    let one = pairwise("one", &["https://one.example/cb"], None);
    let two = pairwise("two", &["https://two.example/cb"], None);
    let (one, two) = (server.register(one).await, server.register(two).await);
    let public = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let mut names = vec![
        subject(&server, &one, &ada).await,
        subject(&server, &two, &ada).await,
        subject(&server, &public, &ada).await,
        subject(&server, &one, &bea).await,
        subject(&server, &two, &bea).await,
    ];
    assert_eq!(names[2], ada.id.to_string());
    for name in &names {
        assert!(name.is_ascii() && name.len() <= 255);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5);
}

async fn one_sector_knows_her_by_one(server: TestServer) {
    let ada = server.person("ada").await;
    let web = pairwise(
        "web",
        &["https://app.example/cb", "https://app.example/x"],
        None,
    );
    let api = pairwise("other-port", &["https://app.example:8443/cb"], None);
    let (web, api) = (server.register(web).await, server.register(api).await);
    assert_eq!(
        subject(&server, &web, &ada).await,
        subject(&server, &api, &ada).await
    );
    let sector = Some("https://group.example/redirects.json");
    let uris = ["https://shop.example/cb", "https://bank.example/cb"];
    let shop = server.register(pairwise("shop", &uris, sector)).await;
    let blog = pairwise("blog", &["https://blog.example/cb"], sector);
    let blog = server.register(blog).await;
    assert_eq!(
        subject(&server, &shop, &ada).await,
        subject(&server, &blog, &ada).await
    );
}

async fn it_stays_the_same_everywhere_and_always(server: TestServer) {
    let app = pairwise("app", &["https://app.example/cb"], None);
    let app = server.register(app).await;
    let ada = server.person("ada").await;
    let name = subject(&server, &app, &ada).await;
    let scope = "openid accounts:read offline_access";
    let tokens = flow(&server, &app, &ada, scope).await;
    let get = server.http.get(server.at("/userinfo"));
    let told = Reply::of(get.bearer_auth(&tokens.access)).await.ok();
    assert_eq!(told["sub"], name.as_str());
    let seen = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(seen["sub"], name.as_str());
    server.advance(60);
    let refreshed = app.refresh(&server, &tokens.refresh).await.ok();
    let id = jwt::verify(&server, refreshed["id_token"].as_str().unwrap()).await;
    assert_eq!(id.claims["sub"], name.as_str());
    // Another start of the server, the same vault.
    let server = server.restart().await;
    assert_eq!(subject(&server, &app, &ada).await, name);
}

async fn no_token_tells_sectors_what_they_could_compare(server: TestServer) {
    let one = pairwise("one", &["https://one.example/cb"], None);
    let two = pairwise("two", &["https://two.example/cb"], None);
    let (one, two) = (server.register(one).await, server.register(two).await);
    let ada = server.person("ada").await;
    // One browser, one session, a JWT access token each.
    let mut browser = server.browser();
    let mut texts: Vec<Vec<String>> = Vec::new();
    for app in [&one, &two] {
        let tokens = browser
            .code_flow(&server, app, &ada, "openid cards:read")
            .await;
        let access = jwt::verify(&server, &tokens.access).await.claims;
        let id = jwt::verify(&server, &tokens.id).await.claims;
        let seen = server.cards.introspect(&server, &tokens.access).await;
        assert_eq!(seen["active"], true);
        assert_eq!(access["sub"], id["sub"]);
        for claims in [&access, &id, &seen] {
            assert!(!claims.to_string().contains(&ada.id.to_string()));
        }
        texts.push(
            ["sub", "sid", "jti", "usr", "grt", "azn"]
                .iter()
                .flat_map(|name| [access.get(name), id.get(name)])
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        );
    }
    assert!(texts[0].iter().all(|text| !texts[1].contains(text)));
}

async fn what_is_revoked_for_the_person_still_ends(server: TestServer) {
    let app = pairwise("app", &["https://app.example/cb"], None);
    let app = server.register(app).await;
    let ada = server.person("ada").await;
    // A JWT for one API, an opaque token for the other.
    let cards = flow(&server, &app, &ada, "openid cards:read").await;
    let accounts = flow(&server, &app, &ada, "openid accounts:read").await;
    assert!(server.cards.sees(&server, &cards.access).await);
    assert!(server.accounts.sees(&server, &accounts.access).await);
    let caller = crate::support::server::caller();
    countersign::flows::users::disable(&server.app, "ada", &caller)
        .await
        .unwrap();
    assert!(!server.cards.sees(&server, &cards.access).await);
    assert!(!server.accounts.sees(&server, &accounts.access).await);
}

async fn several_hosts_need_a_sector_identifier(server: TestServer) {
    let uris = ["https://shop.example/cb", "https://bank.example/cb"];
    let spec = pairwise("app", &uris, None);
    let refused = crate::support::apps::try_register(&server.app, spec).await;
    let why = format!("{:?}", refused.err().unwrap());
    assert!(why.contains("sector identifier"), "{why}");
}

async fn a_new_redirect_uri_never_changes_the_sector_unnoticed(server: TestServer) {
    use countersign::flows::clients::{self, ClientEdit};
    let app = pairwise("app", &["https://app.example/cb"], None);
    let app = server.register(app).await;
    let ada = server.person("ada").await;
    let name = subject(&server, &app, &ada).await;
    let caller = crate::support::server::caller();
    let moved = |sector: Option<&str>| ClientEdit {
        redirect_uris: Some(vec![
            app.redirect_uri.clone(),
            "https://new.example/cb".to_owned(),
        ]),
        metadata: sector
            .map(|uri| ("sector_identifier_uri".to_owned(), uri.into()))
            .into_iter()
            .collect(),
        ..ClientEdit::default()
    };
    for sector in [None, Some("https://new.example/uris.json")] {
        let refused = clients::set(&server.app, "app", moved(sector), &caller).await;
        assert!(refused.is_err(), "{sector:?}");
    }
    let kept = Some("https://app.example/uris.json");
    clients::set(&server.app, "app", moved(kept), &caller)
        .await
        .unwrap();
    assert_eq!(subject(&server, &app, &ada).await, name);
}
