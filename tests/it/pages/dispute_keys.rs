//! "This wasn't me", and the passkeys that were added lately: somebody else may have added them.

use std::time::Duration;

use super::passkeys::activated_with_passkey;
use crate::support::TestServer;
use crate::support::authenticator::{Authenticator, bind_another, person_with, sign_in};

on_both![
    a_key_that_stays_ticked_opens_nothing_any_more,
    a_key_that_is_older_or_not_ticked_stays,
    the_last_strong_factor_is_not_blocked,
    of_two_that_came_lately_the_older_one_stays,
    anothers_key_is_not_blocked,
];

const HERE: &str = "/account/not-me";
const WEEK: Duration = Duration::from_hours(7 * 24);

/// The names of the check boxes that block a key.
fn boxes(page: &str) -> Vec<String> {
    let names = page.split("name=\"block-").skip(1);
    names
        .filter_map(|rest| rest.split('"').next())
        .map(|id| format!("block-{id}"))
        .collect()
}

async fn a_key_that_stays_ticked_opens_nothing_any_more(server: TestServer) {
    let (person, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    let page = browser.get(HERE).await;
    let [key] = boxes(&page.body).try_into().unwrap();
    assert!(page.body.contains("My key"), "{}", page.body);
    let page = browser.post(HERE, &[(&key, "yes")]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let page = sign_in(&mut server.browser(), &mut passkey).await;
    assert_eq!(page.status, 400, "{}", page.body);
    // Password and app still do, and the key is shown as what it is.
    browser.sign_in(&server, &person).await;
    let account = browser.get("/account").await;
    assert!(account.body.contains("My key"), "{}", account.body);
    assert!(boxes(&browser.get(HERE).await.body).is_empty());
}

async fn a_key_that_is_older_or_not_ticked_stays(server: TestServer) {
    let (person, mut older) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    let [id] = boxes(&browser.get(HERE).await.body).try_into().unwrap();
    server.clock.advance(WEEK + Duration::from_secs(1));
    browser.sign_in(&server, &person).await;
    let mut newer = Authenticator::new(&server);
    bind_another(&mut browser, &mut older, ("passkey", &mut newer)).await;
    let shown = boxes(&browser.get(HERE).await.body);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_ne!(shown[0], id);
    // The older one is named all the same; the newer one is not ticked.
    let page = browser.post(HERE, &[(&id, "yes")]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    for key in [&mut older, &mut newer] {
        assert_eq!(sign_in(&mut server.browser(), key).await.status, 303);
    }
}

async fn the_last_strong_factor_is_not_blocked(server: TestServer) {
    let mut only = activated_with_passkey(&server, "ada").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut only).await;
    let [key] = boxes(&browser.get(HERE).await.body).try_into().unwrap();
    let page = browser.post(HERE, &[(&key, "yes")]).await;
    assert!(
        page.body.contains("still opens your account"),
        "{}",
        page.body
    );
    assert!(!browser.is_signed_in().await);
    assert_eq!(sign_in(&mut server.browser(), &mut only).await.status, 303);
}

async fn of_two_that_came_lately_the_older_one_stays(server: TestServer) {
    let mut hers = activated_with_passkey(&server, "ada").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut hers).await;
    server.clock.advance(Duration::from_mins(1));
    let mut other = Authenticator::new(&server);
    bind_another(&mut browser, &mut hers, ("passkey", &mut other)).await;
    let shown = boxes(&browser.get(HERE).await.body);
    assert_eq!(shown.len(), 2, "{shown:?}");
    let form: Vec<_> = shown.iter().map(|name| (name.as_str(), "yes")).collect();
    let page = browser.post(HERE, &form).await;
    let told = page.body.contains("still opens your account");
    assert!(told, "{}", page.body);
    assert_eq!(sign_in(&mut server.browser(), &mut other).await.status, 400);
    assert_eq!(sign_in(&mut server.browser(), &mut hers).await.status, 303);
}

async fn anothers_key_is_not_blocked(server: TestServer) {
    let (ada, _) = person_with(&server, "ada", "passkey").await;
    let (bea, mut beas) = person_with(&server, "bea", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &bea).await;
    let [key] = boxes(&browser.get(HERE).await.body).try_into().unwrap();
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.post(HERE, &[(&key, "yes")]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(sign_in(&mut server.browser(), &mut beas).await.status, 303);
}
