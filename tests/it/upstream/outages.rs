//! A provider that answers slowly, wrongly or from elsewhere: nobody is signed in, and nothing decided.

use super::{TRUSTED, events, linked, sessions};
use crate::support::provider::{Mood, Provider};
use crate::support::{Engine, TestServer};

on_both_upstream![
    whatever_it_answers_nobody_is_signed_in,
    a_new_key_of_it_is_fetched,
];

on_both_engines![addresses_inside_are_not_called];

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
