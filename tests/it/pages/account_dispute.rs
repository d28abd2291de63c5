//! "This wasn't me": everything stops at once, and she can sign in again.

use crate::support::{AuthRequest, Browser, Page, Person, Spec, TestServer, jwt, race};

on_both![
    everything_issued_until_now_ends,
    she_signs_in_again,
    she_signs_in_again_at_once,
    no_device_is_known_any_more,
    apps_that_stay_ticked_are_stopped_and_others_are_not,
    anothers_app_is_not_stopped,
    what_was_not_her_is_named_and_only_hers,
    it_needs_no_fresh_proof_and_no_fresh_page,
    it_is_taken_from_our_own_page_only,
    without_a_session_nothing_happens,
    fifty_at_once_are_one,
    a_set_of_recovery_codes_is_forgotten,
    what_ended_stays_ended_after_a_restart,
];

const HERE: &str = "/account/not-me";

async fn signed_in(server: &TestServer, ada: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, ada).await;
    browser
}

/// The check boxes of a page.
fn boxes(page: &Page) -> Vec<String> {
    let names = page.body.split("name=\"stop-").skip(1);
    names
        .filter_map(|rest| rest.split('"').next())
        .map(|id| format!("stop-{id}"))
        .collect()
}

async fn everything_issued_until_now_ends(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let (mut here, mut beas) = (server.browser(), server.browser());
    let scope = "openid offline_access accounts:read";
    let theirs = beas.code_flow(&server, &app, &bea, scope).await;
    let tokens = here.code_flow(&server, &app, &ada, scope).await;
    let mut there = signed_in(&server, &ada).await;
    let page = here.get(HERE).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(there.is_signed_in().await, "looking ends nothing");
    let page = here.post(HERE, &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Everything is stopped"));
    assert!(here.cookies.get("cs-session").is_none_or(String::is_empty));
    assert!(!here.is_signed_in().await && !there.is_signed_in().await);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(beas.is_signed_in().await);
    assert!(server.accounts.sees(&server, &theirs.access).await);
}

async fn she_signs_in_again(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    browser.post(HERE, &[]).await;
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
    let tokens = browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
    let page = browser.open("/account/activity").await;
    assert!(page.body.contains("You said that something was not you"));
}

/// Although what was issued in the seconds after it is void too, wherever it was issued.
async fn she_signs_in_again_at_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let early = server.clock.now();
    browser.post(HERE, &[]).await;
    browser.open("/sign-in").await;
    browser
        .try_sign_in("ada", &ada.password, &ada.recovery_codes[0])
        .await;
    assert!(browser.is_signed_in().await);
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    let answer = browser.go_on(&server, page, &ada).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
    let told = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(server.clock.now(), early, "nobody waited");
    assert_eq!(
        told["iat"],
        early.secs(),
        "an ID token is never of tomorrow"
    );
    server.advance(30);
    assert!(browser.is_signed_in().await);
}

async fn no_device_is_known_any_more(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let mut copy = browser.clone();
    browser.post(HERE, &[]).await;
    for _ in 0..5 {
        let mut stranger = server.browser();
        stranger.try_sign_in("ada", "wrong", "000000").await;
    }
    let before = server.app.hasher.made();
    copy.try_sign_in("ada", "wrong", "000000").await;
    assert_eq!(server.app.hasher.made(), before, "blocked as a stranger");
}

async fn apps_that_stay_ticked_are_stopped_and_others_are_not(server: TestServer) {
    let ada = server.person("ada").await;
    let old = server.register(Spec::confidential("old")).await;
    let kept = server.register(Spec::confidential("kept")).await;
    let bad = server.register(Spec::confidential("bad")).await;
    let mut browser = server.browser();
    let scope = "openid accounts:read";
    browser.code_flow(&server, &old, &ada, scope).await;
    server.advance(8 * 24 * 3600);
    let mut browser = server.browser();
    browser.code_flow(&server, &kept, &ada, scope).await;
    server.advance(1);
    browser.code_flow(&server, &bad, &ada, scope).await;
    let page = browser.get(HERE).await;
    assert!(
        !page.body.contains("The app old"),
        "long ago is not suspect"
    );
    let names = boxes(&page);
    assert_eq!(names.len(), 2, "{}", page.body);
    // The newest is first.
    let page = browser.post(HERE, &[(names[0].as_str(), "yes")]).await;
    assert_eq!(page.status, 200);
    browser.sign_in(&server, &ada).await;
    let page = browser.open("/account/apps").await;
    assert!(page.body.contains("The app old") && page.body.contains("The app kept"));
    assert!(!page.body.contains("The app bad"), "{}", page.body);
}

async fn anothers_app_is_not_stopped(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let app = server.register(Spec::confidential("app")).await;
    let mut hers = server.browser();
    hers.code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let name = boxes(&hers.get(HERE).await).remove(0);
    let mut beas = signed_in(&server, &bea).await;
    beas.post(HERE, &[(name.as_str(), "yes"), ("stop-x", "yes")])
        .await;
    assert!(hers.open("/account").await.body.contains("The app app"));
}

async fn what_was_not_her_is_named_and_only_hers(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut hers = signed_in(&server, &ada).await;
    let mut beas = signed_in(&server, &bea).await;
    let link = |page: &Page| {
        let rest = page.body.split("/account/not-me?event=").nth(1).unwrap();
        let id = rest.split('"').next().unwrap().to_owned();
        format!("{HERE}?event={id}")
    };
    let of_ada = link(&hers.open("/account/activity").await);
    let page = hers.get(&of_ada).await;
    assert!(page.body.contains("You signed in with Firefox on Linux"));
    let page = beas.get(&of_ada).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("You signed in with"), "not hers");
    for garbage in ["x", "", "00000000-0000-0000-0000-000000000000"] {
        let page = hers.get(&format!("{HERE}?event={garbage}")).await;
        assert_eq!(page.status, 200, "{garbage}");
    }
    let event = of_ada.rsplit('=').next().unwrap();
    let page = hers.post(HERE, &[("event", event)]).await;
    assert_eq!(page.status, 200);
}

async fn it_needs_no_fresh_proof_and_no_fresh_page(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let mut other = signed_in(&server, &ada).await;
    server.advance(10 * 60);
    assert!(browser.get(HERE).await.location().starts_with("/sign-in"));
    let page = browser.post(HERE, &[]).await;
    assert!(page.body.contains("Everything is stopped"), "{}", page.body);
    assert!(
        other
            .post(HERE, &[])
            .await
            .location()
            .starts_with("/sign-in")
    );
}

async fn it_is_taken_from_our_own_page_only(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for origin in [Some("https://evil.example"), None] {
        let page = browser.post_from(HERE, &[], origin).await;
        assert_eq!(page.status, 403);
    }
    assert!(browser.is_signed_in().await);
}

async fn without_a_session_nothing_happens(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = server.browser().post(HERE, &[]).await;
    assert!(page.location().starts_with("/sign-in"));
    assert!(!page.body.contains("Everything is stopped"));
    assert!(browser.is_signed_in().await);
    let mut old = browser.clone();
    browser.post("/sign-out", &[]).await;
    let mut again = signed_in(&server, &ada).await;
    old.post(HERE, &[]).await;
    assert!(
        again.is_signed_in().await,
        "a session that ended says nothing"
    );
}

async fn fifty_at_once_are_one(server: TestServer) {
    let ada = server.person("ada").await;
    let browser = signed_in(&server, &ada).await;
    let pages = race(50, |_| {
        let mut browser = browser.clone();
        async move { browser.post(HERE, &[]).await }
    })
    .await;
    let done = pages.iter().filter(|page| page.status == 200);
    assert_eq!(done.count(), 1);
    let refused = pages.iter().filter(|page| page.status != 200);
    assert!(
        refused
            .clone()
            .all(|page| page.location().starts_with("/sign-in"))
    );
    let mut again = signed_in(&server, &ada).await;
    assert!(again.is_signed_in().await);
}

async fn a_set_of_recovery_codes_is_forgotten(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    let form = [("current", ada.password.as_str()), ("code", code.as_str())];
    browser.post("/account/recovery-codes", &form).await;
    browser.post(HERE, &[]).await;
    browser.sign_in(&server, &ada).await;
    let page = browser.open("/account/recovery-codes").await;
    assert!(crate::support::people::recovery_codes(&page).is_empty());
}

async fn what_ended_stays_ended_after_a_restart(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let mut copy = browser.clone();
    browser.post(HERE, &[]).await;
    let server = server.restart().await;
    assert!(!copy.is_signed_in().await);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
}
