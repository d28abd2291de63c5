//! Walks of machines, and what the server does by itself.

use super::people::{enter, tokens};
use super::world::World;
use crate::support::{Tokens, jwt};

const ASKED: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

/// A client that signs assertions: each is good once, whether its answer arrived or not.
pub async fn asserted(w: &mut World) {
    let client = w.machine.clone();
    for _ in 0..2 {
        let jti = jwt::random_id();
        let send = w.form(&client, "/token", &ASKED, &jti);
        let first = w.send(send).await;
        let send = w.form(&client, "/token", &ASKED, &jti);
        let again = w.send(send).await;
        match (&first, &again) {
            (Some(first), Some(again)) => {
                assert_eq!(first.status, 200, "{}", first.body);
                again.refused(401, "invalid_client");
            }
            // Of the one that was lost nobody knows; the other was used for the first time, or not.
            (None, Some(one)) => assert!(matches!(one.status, 200 | 401), "{}", one.body),
            (Some(first), None) => assert_eq!(first.status, 200),
            (None, None) => panic!("it died twice"),
        }
        for reply in [first, again].into_iter().flatten() {
            if reply.status == 200 {
                w.alive.push(Tokens::of(&reply.ok()).access);
            }
        }
        let send = w.form(&client, "/token", &ASKED, &jti);
        let third = w.send(send).await.unwrap();
        third.refused(401, "invalid_client");
    }
}

/// A client with a secret gets tokens for itself; each has its event before it is given away.
pub async fn for_itself(w: &mut World) {
    const ISSUED: &str = "SELECT COUNT(*) FROM audit_events WHERE kind = 'token.issued'";
    let client = w.web.clone();
    let before = w.count(ISSUED).await;
    let mut given = 0;
    for _ in 0..3 {
        if let Some(reply) = w.post(&client, "/token", &ASKED).await {
            w.alive.push(Tokens::of(&reply.ok()).access);
            given += 1;
        }
    }
    let written = w.count(ISSUED).await - before;
    assert!(
        (given..=3).contains(&written),
        "{given} tokens, {written} events"
    );
}

/// What is only counted in memory is written down now and then: refusals and first uses.
pub async fn counted(w: &mut World) {
    let (client, mut b) = (w.web.clone(), w.visitor());
    let given = tokens(w, &mut b, &client).await;
    assert!(w.sees(&given.access).await);
    let wrong = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "nonsense"),
    ];
    let refused = w.post(&client, "/token", &wrong).await.unwrap();
    refused.refused(400, "invalid_grant");
    w.surely_tick("first_uses");
    w.surely_tick("refusals");
}

/// The audit log is sealed: each event once, whatever dies.
pub async fn sealed(w: &mut World) {
    for_itself(w).await;
    w.surely_tick("audit_sealer");
    assert_eq!(w.count("SELECT COUNT(*) FROM audit_unsealed").await, 0);
}

/// What ended long ago is removed, and nothing else.
pub async fn cleaned(w: &mut World) {
    let (ada, mut b) = (w.ada.clone(), w.visitor());
    // A request that nobody goes on with.
    b.open(w, "/sign-in").await;
    enter(w, &mut b, &ada).await;
    let client = w.web.clone();
    let form = crate::support::AuthRequest::new(&client, "openid");
    let pairs: Vec<_> = form.pairs().into_iter().skip(1).collect();
    w.surely_post(&client, "/par", &pairs).await;
    w.advance(48 * 3600);
    w.surely_tick("cleaner");
    assert_eq!(w.count("SELECT COUNT(*) FROM pushed_requests").await, 0);
    let standing = w.count("SELECT COUNT(*) FROM users").await;
    assert!(standing > 0);
}
