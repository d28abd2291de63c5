//! What an event's bytes are, and that nothing else is read as one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn id(last: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + last)
}

fn full() -> Event {
    Event::new(
        id(1),
        Timestamp::from_millis(1_750_000_000_123),
        Kind::SignInRefused,
    )
    .by(Actor::Client("pocket-budget".to_owned()))
    .refused("wrong_code")
    .subject(id(2))
    .client("pocket-budget")
    .session(id(3))
    .grant(id(4))
    .authorization(id(5))
    .resource("https://api.example/")
    .request("r-1")
    .personal(&Personal::default(), [0; 16])
    .with("scope", json!(["b", "a"]))
    .with("count", 3)
}

#[test]
fn the_bytes_of_a_leaf_are_fixed() {
    let commitment = URL_SAFE_NO_PAD.encode(Personal::default().commit([0; 16]));
    let expected = format!(
        concat!(
            r#"{{"v":1,"id":"01900000-0000-7000-8000-000000000001","at":1750000000123,"#,
            r#""kind":"sign_in.refused","outcome":"refused","reason":"wrong_code","#,
            r#""actor":"client:pocket-budget","#,
            r#""subject":"01900000-0000-7000-8000-000000000002","client":"pocket-budget","#,
            r#""session":"01900000-0000-7000-8000-000000000003","#,
            r#""grant":"01900000-0000-7000-8000-000000000004","#,
            r#""authorization":"01900000-0000-7000-8000-000000000005","#,
            r#""resource":"https://api.example/","request":"r-1","commitment":"{}","#,
            r#""detail":{{"count":3,"scope":["b","a"]}}}}"#
        ),
        commitment
    );
    assert_eq!(String::from_utf8(full().leaf_bytes()).unwrap(), expected);
}

#[test]
fn absent_members_are_left_out() {
    let event = Event::new(id(0), Timestamp::from_millis(-1), Kind::ServerStarted);
    assert_eq!(
        String::from_utf8(event.leaf_bytes()).unwrap(),
        r#"{"v":1,"id":"01900000-0000-7000-8000-000000000000","at":-1,"kind":"server.started","outcome":"done","actor":"server"}"#
    );
}

#[test]
fn an_event_is_read_back_from_its_leaf() {
    assert_eq!(Event::parse(&full().leaf_bytes()).unwrap(), full());
    for actor in [
        Actor::Server,
        Actor::Operator,
        Actor::User(id(9)),
        Actor::Anonymous,
    ] {
        let event = full().by(actor);
        assert_eq!(Event::parse(&event.leaf_bytes()).unwrap(), event);
    }
}

#[test]
fn other_ways_to_write_the_same_event_are_refused() {
    let leaf = String::from_utf8(full().leaf_bytes()).unwrap();
    for changed in [
        leaf.replace("\"at\":", "\"at\": "),
        leaf.replace("wrong_code", "wr\\u006fng_code"),
        leaf.replace(
            "\"count\":3,\"scope\":[\"b\",\"a\"]",
            "\"scope\":[\"b\",\"a\"],\"count\":3",
        ),
        leaf.replace("\"request\":\"r-1\"", "\"request\":\"r-1\",\"x\":null"),
        leaf.replace("\"count\":3", "\"count\":3,\"count\":3"),
        leaf.replace(
            "01900000-0000-7000-8000-000000000002",
            "01900000000070008000000000000002",
        ),
        format!("{leaf}\n"),
    ] {
        assert_ne!(changed, leaf);
        assert!(Event::parse(changed.as_bytes()).is_err(), "{changed}");
    }
}

#[test]
fn another_version_is_named() {
    let leaf = String::from_utf8(full().leaf_bytes()).unwrap();
    let later = leaf.replace("\"v\":1", "\"v\":2");
    assert_eq!(Event::parse(later.as_bytes()), Err(EventError::Version(2)));
}

#[test]
fn an_outcome_carries_a_reason_exactly_when_refused() {
    let leaf = String::from_utf8(full().leaf_bytes()).unwrap();
    let without = leaf.replace("\"reason\":\"wrong_code\",", "");
    let done = leaf.replace("\"refused\"", "\"done\"");
    assert!(matches!(
        Event::parse(without.as_bytes()),
        Err(EventError::Malformed(_))
    ));
    assert!(matches!(
        Event::parse(done.as_bytes()),
        Err(EventError::Malformed(_))
    ));
}

fn any_event() -> impl Strategy<Value = Event> {
    (
        any::<[u8; 16]>(),
        any::<i64>(),
        0..Kind::ALL.len(),
        proptest::option::of(".*"),
        proptest::collection::vec((".*", ".*"), 0..4),
        proptest::option::of(any::<[u8; 32]>()),
    )
        .prop_map(|(bytes, at, kind, text, details, commitment)| {
            let id = Uuid::from_bytes(bytes);
            let mut event = Event::new(id, Timestamp::from_millis(at), Kind::ALL[kind]);
            event.commitment = commitment;
            if let Some(text) = text {
                event = event
                    .by(Actor::Client(text.clone()))
                    .refused(text.clone())
                    .client(text);
            }
            details
                .into_iter()
                .fold(event, |event, (name, value)| event.with(name, value))
        })
}

proptest! {
    #[test]
    fn any_event_survives_the_round_trip(event in any_event()) {
        let bytes = event.leaf_bytes();
        let back = Event::parse(&bytes).unwrap();
        prop_assert_eq!(back.leaf_bytes(), bytes);
        prop_assert_eq!(back, event);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::parse(&bytes);
    }
}
