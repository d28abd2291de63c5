//! A provider that answers slowly, wrongly or from elsewhere: nobody is signed in, and nothing decided.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{TRUSTED, events, linked, sessions};
use crate::support::provider::{Mood, Provider};
use crate::support::{ClientApp, Engine, Spec, TestServer, race};

on_both_upstream![
    whatever_it_answers_nobody_is_signed_in,
    a_new_key_of_it_is_fetched,
    who_is_waited_for_is_in_nobodys_way,
    a_secret_is_posted_where_nothing_else_is_taken,
];

on_both_engines![addresses_inside_are_not_called];

/// How long a page may keep people waiting for the provider.
const PATIENCE: Duration = Duration::from_secs(30);

const WRONG: [Mood; 4] = [Mood::Down, Mood::Elsewhere, Mood::Endlessly, Mood::Nonsense];

async fn whatever_it_answers_nobody_is_signed_in(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let before = sessions(&server).await;
    let mut browser = server.browser();
    for mood in WRONG {
        provider.mood(Mood::Well);
        server.advance(10);
        let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
        let back = provider.answer(&server, &asked, TRUSTED, |_| ());
        provider.mood(mood);
        let page = browser.open(&back).await;
        assert_eq!(page.status, 503, "{mood:?}: {}", page.body);
        // The answer was taken, whatever came of it.
        provider.mood(Mood::Well);
        assert_eq!(browser.get(&back).await.status, 410, "{mood:?}");
    }
    for mood in WRONG.into_iter().chain([Mood::Renamed]) {
        server.advance(601);
        provider.mood(mood);
        let page = browser.open("/sign-in/upstream").await;
        assert_eq!(page.status, 503, "{mood:?}: {}", page.body);
        // Nobody asks it again at once.
        let asked = provider.asked();
        browser.open("/sign-in/upstream").await;
        assert_eq!(provider.asked(), asked, "{mood:?}");
    }
    assert_eq!(sessions(&server).await, before);
    assert_eq!(events(&server, "upstream.used").await, 0);
}

async fn a_new_key_of_it_is_fetched(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    provider.rotate();
    server.advance(120);
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
}

/// It never answers: people read so within seconds, and nobody else waits meanwhile.
async fn who_is_waited_for_is_in_nobodys_way(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    provider.mood(Mood::Slowly);
    // One waits for its token endpoint, and then ten at once for what it says of itself.
    let (page, tokens) = meanwhile(&server, &app, async { browser.open(&back).await }).await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(tokens > 3, "{tokens} tokens");
    server.advance(601);
    let asking = async {
        let many = race(10, |_| {
            let mut browser = server.browser();
            async move { browser.open("/sign-in/upstream").await }
        });
        many.await
    };
    let (pages, tokens) = meanwhile(&server, &app, asking).await;
    for page in pages {
        assert_eq!(page.status, 503, "{}", page.body);
        assert!(page.body.contains("Staff Login"), "{}", page.body);
        let other = page.body.contains("action=\"/sign-in");
        assert!(other, "another way in: {}", page.body);
    }
    assert!(tokens > 3, "{tokens} tokens");
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
}

/// Does something, and counts the tokens that an app got before it was done.
async fn meanwhile<T>(
    server: &TestServer,
    app: &ClientApp,
    slow: impl Future<Output = T>,
) -> (T, u32) {
    let tokens = AtomicU32::new(0);
    let others = async {
        loop {
            app.client_credentials(server, "accounts:read").await.ok();
            tokens.fetch_add(1, Ordering::Relaxed);
        }
    };
    let both = async {
        tokio::select! {
            done = slow => (done, tokens.load(Ordering::Relaxed)),
            never = others => never,
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap()
}

async fn a_secret_is_posted_where_nothing_else_is_taken(server: TestServer, provider: Provider) {
    provider.mood(Mood::ByPost);
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
    // It takes both after a while, and now the header is used.
    provider.mood(Mood::Well);
    server.advance(601);
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
}

/// It is called like anybody: through the guarded way out.
async fn addresses_inside_are_not_called(engine: Engine) {
    let provider = Provider::start().await;
    let server = provider
        .server(engine, |file| file.outbound.allow.clear())
        .await;
    let page = server.browser().open("/sign-in/upstream").await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert_eq!(provider.asked(), 0);
}
