//! The server dies at every crash point of every flow, once, and what it acknowledged is compared
//! with what exists. The points are those that the walks pass; a flow that commits where no walk
//! passes fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign::crash::Moment;
use futures_util::future::BoxFuture;

use super::child::{self, Child, Spec};
use super::world::World;
use super::{account, check, machines, mailbox, operator, passkeys, people, recovery, upstream};
use crate::support::server::Left;
use crate::support::template::{self, Directory};
use crate::support::{Engine, postgres::Cluster};

type Walk = for<'a> fn(&'a mut World) -> BoxFuture<'a, ()>;

/// Every walk; the last ones move the clock far.
const WALKS: [(&str, Walk); 33] = [
    ("rotating", |w| Box::pin(people::rotating(w))),
    ("confidential", |w| Box::pin(people::confidential(w))),
    ("replayed", |w| Box::pin(people::replayed(w))),
    ("turned back", |w| Box::pin(people::turned_back(w))),
    ("chosen", |w| Box::pin(people::chosen(w))),
    ("mistyped", |w| Box::pin(people::mistyped(w))),
    ("activated", |w| Box::pin(people::activated(w))),
    ("asserted", |w| Box::pin(machines::asserted(w))),
    ("for itself", |w| Box::pin(machines::for_itself(w))),
    ("counted", |w| Box::pin(machines::counted(w))),
    ("sealed", |w| Box::pin(machines::sealed(w))),
    ("password", |w| Box::pin(account::password_changed(w))),
    ("codes", |w| Box::pin(account::codes_replaced(w))),
    ("codes kept", |w| Box::pin(account::codes_kept(w))),
    ("sharing", |w| Box::pin(account::sharing_stopped(w))),
    ("sessions", |w| Box::pin(account::sessions_ended(w))),
    ("signed out", |w| Box::pin(account::signed_out(w))),
    ("disputed", |w| Box::pin(account::disputed(w))),
    ("app", |w| Box::pin(recovery::app_replaced(w))),
    ("closed", |w| Box::pin(recovery::closed(w))),
    ("passkey", |w| Box::pin(passkeys::bound_and_removed(w))),
    ("stepped up", |w| Box::pin(passkeys::stepped_up(w))),
    ("activated with a passkey", |w| {
        Box::pin(passkeys::activated(w))
    }),
    ("linked elsewhere", |w| Box::pin(upstream::linked(w))),
    ("believed", |w| Box::pin(upstream::believed(w))),
    ("not believed", |w| Box::pin(upstream::not_believed(w))),
    ("unlinked", |w| Box::pin(upstream::unlinked(w))),
    ("clients", |w| Box::pin(operator::clients(w))),
    ("client removed", |w| Box::pin(operator::client_removed(w))),
    ("resources", |w| Box::pin(operator::resources(w))),
    ("disabled", |w| Box::pin(operator::disabled(w))),
    ("kept", |w| Box::pin(operator::kept(w))),
    ("cleaned", |w| Box::pin(machines::cleaned(w))),
];

/// Walks that are short and come after the others.
const MORE: [(&str, Walk); 3] = [
    ("invited again", |w| Box::pin(operator::invited_again(w))),
    ("keys", |w| Box::pin(operator::keys(w))),
    ("reproofed", |w| Box::pin(recovery::reproofed(w))),
];

/// Walks where people are written to.
const MAILED: [(&str, Walk); 1] = [("address", |w| Box::pin(mailbox::confirmed(w)))];

/// Commits where no walk passes, and why not.
const ELSEWHERE: [(&str, &str); 4] = [
    (
        "lockouts::give_back",
        "only when the database failed in the midst of a verdict",
    ),
    (
        "flows/epochs.rs",
        "only when the commit before took seconds; nodes::slowly waits for one",
    ),
    (
        "backfill::advance",
        "nothing is to be done now; growth::backfill interrupts it",
    ),
    (
        "flows/prove.rs",
        "a proof is spent before anything else is done; fapi::dpop presents it again",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_at_any_crash_point_on_sqlite() {
    everywhere(Engine::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_at_any_crash_point_on_postgres() {
    everywhere(Engine::Postgres, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: each walk dies at each point that it passes"]
async fn nothing_acknowledged_is_lost_in_any_walk_at_any_point() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        everywhere(engine, true).await;
    }
}

async fn everywhere(engine: Engine, each_walk: bool) {
    let mut world = World::new(engine).await;
    let all: Vec<_> = WALKS.into_iter().chain(MORE).collect();
    let plan = Plan::of(&mut world, &all).await;
    let mut mailed = World::mailed(engine).await;
    let mut letters = Plan::of(&mut mailed, &MAILED).await;
    // What others pass is enough there.
    letters
        .points
        .retain(|point, _| !plan.points.contains_key(point));
    let mut seen: BTreeSet<String> = plan.points.keys().cloned().collect();
    seen.extend(letters.points.keys().cloned());
    // Those of a first start die in a test of their own.
    let (_left, mut new) = first_start(engine, "");
    let passed = new.as_mut().unwrap().tell(&child::passed()).unwrap();
    seen.extend(serde_json::from_value::<Vec<String>>(passed).unwrap());
    drop(new);
    let forgotten = forgotten(&seen);
    assert!(forgotten.is_empty(), "no walk passes: {forgotten:#?}");
    plan.die(&mut world, each_walk).await;
    letters.die(&mut mailed, each_walk).await;
}

/// Where to die on which walks.
struct Plan {
    points: BTreeMap<String, Vec<(&'static str, Walk)>>,
    /// The same for acts that commit where others do.
    acts: Vec<(&'static str, Walk, String)>,
}

impl Plan {
    /// Walks, and notes what is passed.
    async fn of(world: &mut World, walks: &[(&'static str, Walk)]) -> Self {
        let mut points = BTreeMap::<String, Vec<_>>::new();
        let mut acts = Vec::new();
        for (name, walk) in walks.iter().copied() {
            println!("{name}");
            world.passed();
            walk(world).await;
            acts.extend(world.acted().into_iter().map(|point| (name, walk, point)));
            world.compare().await;
            world.forget();
            for point in world.passed() {
                points.entry(point).or_default().push((name, walk));
            }
        }
        Self { points, acts }
    }

    async fn die(self, world: &mut World, each_walk: bool) {
        for (point, walks) in self.points {
            let mut died = 0;
            // A walk may pass elsewhere when it is walked again: what was consented to is not asked.
            for (name, walk) in walks.iter().chain(&walks) {
                println!("{name}: dies at {point}");
                world.die_at(&point);
                walk(world).await;
                died += usize::from(world.died());
                world.die_at("");
                world.compare().await;
                world.forget();
                if died == if each_walk { walks.len() } else { 1 } {
                    break;
                }
            }
            assert!(died > 0, "it lives on at {point}");
        }
        // What is done after a proof, say, commits with the verdict, where all that is proven does.
        for (name, walk, point) in self.acts {
            println!("{name}: dies at {point} of its own");
            world.die_later_at(&point);
            walk(world).await;
            assert!(world.died(), "it lives on at {point}");
            world.die_at("");
            world.compare().await;
            world.forget();
        }
    }
}

/// The commits of the flows where no walk passes.
fn forgotten(seen: &BTreeSet<String>) -> Vec<String> {
    let commits = commits();
    assert!(commits.len() > 50, "{} commits were found", commits.len());
    let known: BTreeSet<&String> = seen.iter().collect();
    let mut forgotten = Vec::new();
    for (place, line) in &commits {
        if ELSEWHERE.iter().any(|(what, _)| line.contains(what)) {
            continue;
        }
        for moment in Moment::ALL {
            let point = format!("{place} {}", moment.as_str());
            if !known.contains(&point) {
                forgotten.push(point);
            }
        }
    }
    forgotten
}

/// Every place below `src` that commits, `flows/redeem_code.rs:49`, with what stands there.
fn commits() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.join("flows"), root.join("jobs"), root.join("http")];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            for word in [".write(", ".write_alone(", ".append("] {
                for (at, _) in source.match_indices(word) {
                    if source[..at].trim_end().ends_with("store") {
                        let line = source[..at].lines().count();
                        let line = line + usize::from(source[..at].ends_with('\n'));
                        let following: Vec<_> = source[at..].lines().take(4).collect();
                        let text = format!("{name} {}", following.join("\n"));
                        found.insert(format!("{name}:{line}"), text);
                    }
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_dies_anywhere_is_followed_by_a_good_one() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (_left, mut whole) = first_start(engine, "");
        let passed = whole.as_mut().unwrap().tell(&child::passed()).unwrap();
        drop(whole);
        let points: Vec<String> = serde_json::from_value(passed).unwrap();
        assert!(points.len() >= 9, "{points:?}");
        for point in points {
            println!("{engine:?}: dies at {point}");
            let (left, started) = first_start(engine, &point);
            assert!(started.is_none(), "it lives on");
            let _child = start(&left, "").unwrap();
            let found = check::violations(&left).await;
            assert!(found.is_empty(), "{}", found.join("\n"));
            for (table, rows) in [
                ("vault_keys", 1),
                ("signing_keys", 4),
                ("encryption_keys", 6),
            ] {
                let sql = format!("SELECT COUNT(*) FROM {table}");
                let there = check::number(&left, &sql).await;
                assert!(there >= rows, "{table}: {there}");
            }
        }
    }
}

/// Lets a process make a new installation, to die at a point of it.
fn first_start(engine: Engine, die_at: &str) -> (Left, Option<Child>) {
    let left = empty(engine);
    let child = start(&left, die_at);
    (left, child)
}

fn start(left: &Left, die_at: &str) -> Option<Child> {
    let spec = Spec {
        issuer: left.issuer.clone(),
        url: left.url.clone(),
        folder: left.directory.path().to_owned(),
        now: left.now,
        provider: None,
        mail: None,
    };
    tokio::task::block_in_place(|| Child::start(&spec, die_at))
}

/// A database in which nothing is yet.
fn empty(engine: Engine) -> Left {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let directory = Directory::new();
    template::ROOT
        .write_new(&directory.path().join("root.key"))
        .unwrap();
    let (database, url) = match engine {
        Engine::Sqlite => {
            let path = directory.path().join("countersign.db");
            (None, format!("sqlite:{}", path.display()))
        }
        Engine::Postgres => {
            let name = format!("crash_first_{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let url = Cluster::shared().create_database(&name, None);
            (Some(name), url)
        }
    };
    Left {
        issuer: "http://localhost:7".to_owned(),
        url,
        now: template::START.millis(),
        engine,
        database,
        directory,
    }
}
