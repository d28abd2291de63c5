//! Backups as files: whole, sealed, never overwritten; and what is refused before anything changes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign::clock::Clock;
use countersign::config::{Config, Database};
use countersign::flows::{Progress, backup, install, seal_audit};
use countersign::jobs;
use countersign::store::{Location, Store};
use countersign::vault::{BackupKey, CHUNK, RootKey, TAG, WRAPPED};

use super::{Change, made, make, restored, try_restore, why};
use crate::support::{Spec, TestServer, race, template};

on_both![
    a_backup_is_sealed_and_complete,
    every_kind_of_damage_is_noticed,
    nothing_is_overwritten,
    backups_that_begin_together_are_whole_or_refused,
    the_newest_backups_stay,
    a_backup_that_was_just_made_is_never_removed,
    a_backup_made_while_others_write_is_one_moment,
    an_installation_is_replaced_only_when_its_issuer_is_typed,
    another_installations_backup_is_refused,
    a_log_that_is_not_the_shipped_ones_beginning_is_refused,
    a_clock_that_is_behind_is_named,
    a_clock_that_is_behind_what_is_replaced_is_named,
    of_an_installation_made_at_the_same_moment_nothing_is_lost,
];

async fn verified(path: &Path) -> Result<backup::Made, countersign::flows::AdminFailure> {
    let key = BackupKey::of(&template::ROOT).unwrap();
    backup::verify(path, &key, &Progress::none()).await
}

async fn a_backup_is_sealed_and_complete(server: TestServer) {
    let app = server.register(Spec::confidential("client-marker")).await;
    server.person("ada").await;
    let file = make(&server, "one").await;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = verified(&file).await.unwrap();
    assert_eq!(read.header.issuer, server.issuer);
    assert_eq!(read.header.tables["users"], 1);
    assert!(read.header.rows() > 20);
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(read.bytes, bytes.len() as u64);
    for readable in ["client-marker", "user.activated", app.secret.as_str()] {
        let found = bytes
            .windows(readable.len())
            .any(|part| part == readable.as_bytes());
        assert!(!found, "{readable}");
    }
    let another = BackupKey::of(&RootKey::generate().unwrap()).unwrap();
    let refused = backup::verify(&file, &another, &Progress::none()).await;
    assert!(why(refused).contains("root key"));
}

/// The length of the head that is readable.
fn head(bytes: &[u8]) -> usize {
    let length: [u8; 4] = bytes[8..12].try_into().unwrap();
    12 + u32::from_be_bytes(length) as usize
}

async fn every_kind_of_damage_is_noticed(server: TestServer) {
    // Several chunks.
    let app = server.register(Spec::confidential("app")).await;
    for _ in 0..40 {
        race(40, |_| {
            let refusals = server.app.clone();
            async move {
                for n in 0..30 {
                    let reason = ["a", "b", "c", "d", "e"][n % 5];
                    refusals.refusals.count(
                        rules::audit::Kind::IntrospectionRefused,
                        Some(&format!("client-{n}")),
                        reason,
                    );
                }
            }
        })
        .await;
        jobs::refusals::tick(&server.app).await.unwrap();
    }
    app.client_credentials(&server, "accounts:read").await.ok();
    let file = make(&server, "one").await;
    let good = std::fs::read(&file).unwrap();
    let content = head(&good) + WRAPPED;
    let chunks = (good.len() - content).div_ceil(CHUNK + TAG);
    assert!(chunks >= 2, "{}", good.len());
    let bad = server.directory.path().join("bad");
    let refuse = async |what: &str, bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        assert!(verified(&bad).await.is_err(), "{what}");
    };
    let mut places = vec![
        0,
        9,
        13,
        head(&good) / 2,
        head(&good) - 1,
        head(&good),
        content - 1,
    ];
    for chunk in 0..chunks {
        let begin = content + chunk * (CHUNK + TAG);
        let end = (begin + CHUNK + TAG).min(good.len());
        places.extend([begin, begin.midpoint(end), end - TAG, end - 1]);
    }
    for place in places {
        for bit in [1, 128] {
            let mut bytes = good.clone();
            bytes[place] ^= bit;
            refuse(&format!("bit {bit} of byte {place}"), &bytes).await;
        }
    }
    for length in [
        0,
        7,
        11,
        100,
        content,
        content + 1,
        content + CHUNK + TAG,
        good.len() - 1,
    ] {
        refuse(&format!("cut to {length}"), &good[..length]).await;
    }
    refuse("longer", &[good.clone(), vec![0]].concat()).await;
    let first = &good[content..content + CHUNK + TAG];
    let doubled = [
        &good[..content],
        first,
        first,
        &good[content + CHUNK + TAG..],
    ]
    .concat();
    refuse("a chunk twice", &doubled).await;
    let without = [&good[..content], &good[content + CHUNK + TAG..]].concat();
    refuse("a chunk gone", &without).await;
    verified(&file).await.unwrap();

    // Nor does a restore touch anything for it.
    std::fs::write(&bad, &good[..good.len() - 1]).unwrap();
    let before = server.app.store.schema().await.unwrap();
    let change = Change::replacing(&server);
    let (server, outcome) = try_restore(server, &bad, change).await;
    assert!(why(outcome).contains("damaged"));
    assert_eq!(server.app.store.schema().await.unwrap(), before);
    app.client_credentials(&server, "accounts:read").await.ok();
}

async fn nothing_is_overwritten(server: TestServer) {
    let file = make(&server, "one").await;
    let before = std::fs::read(&file).unwrap();
    assert!(why(made(&server, &file, None).await).contains("not overwritten"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let nowhere = server.directory.path().join("nowhere/one");
    assert!(why(made(&server, &nowhere, None).await).contains("cannot be written"));
    assert!(why(made(&server, &nowhere, Some(2)).await).contains("--keep"));
}

async fn backups_that_begin_together_are_whole_or_refused(server: TestServer) {
    let folder = server.directory.path().join("together");
    std::fs::create_dir(&folder).unwrap();
    let four = (0..4).map(|_| made(&server, &folder, None));
    let outcomes = futures_util::future::join_all(four).await;
    let files: Vec<_> = outcomes.into_iter().flatten().collect();
    // All in the same second, so all of one name.
    assert_eq!(files.len(), 1);
    let verified = verified(&files[0].file).await.unwrap();
    assert_eq!(verified.header.rows(), files[0].header.rows());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

async fn the_newest_backups_stay(server: TestServer) {
    let folder = server.directory.path().join("backups");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("countersign-notes.txt"), "kept").unwrap();
    let mut files = Vec::new();
    for _ in 0..4 {
        server.advance(1);
        let made = made(&server, &folder, Some(2)).await.unwrap();
        files.push(made.file);
    }
    let there: Vec<bool> = files.iter().map(|file| file.exists()).collect();
    assert_eq!(there, [false, false, true, true]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
}

async fn a_backup_made_while_others_write_is_one_moment(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let writing = {
        let server = &server;
        let app = &app;
        async move {
            for _ in 0..150 {
                app.client_credentials(server, "accounts:read").await.ok();
                jobs::audit_sealer::tick(&server.app).await.unwrap();
            }
        }
    };
    let keeping = async {
        let mut files = Vec::new();
        for n in 0..5 {
            files.push(make(&server, &format!("b{n}")).await);
        }
        files
    };
    let ((), files) = futures_util::future::join(writing, keeping).await;
    for file in &files {
        verified(file).await.unwrap();
    }
    // A restore verifies the tree: a torn one would be refused.
    let change = Change::replacing(&server);
    let (server, _) = restored(server, &files[2], change).await;
    let verdict = seal_audit::verify(&server.app).await.unwrap();
    assert!(matches!(verdict, seal_audit::Verdict::Intact { .. }));
}

async fn an_installation_is_replaced_only_when_its_issuer_is_typed(server: TestServer) {
    let file = make(&server, "one").await;
    let late = server.register(Spec::confidential("late")).await;
    let (server, outcome) = try_restore(server, &file, Change::default()).await;
    assert!(why(outcome).contains("--replace"));
    let change = Change {
        replace: Some("https://other.example".to_owned()),
        ..Change::default()
    };
    let (server, outcome) = try_restore(server, &file, change).await;
    assert!(why(outcome).contains("nothing was changed"));
    late.client_credentials(&server, "accounts:read").await.ok();
}

async fn another_installations_backup_is_refused(server: TestServer) {
    let other = TestServer::start(server.engine).await;
    let file = make(&other, "one").await;
    let change = Change::replacing(&server);
    let (_, outcome) = try_restore(server, &file, change).await;
    assert!(why(outcome).contains("issuer"));
}

async fn a_log_that_is_not_the_shipped_ones_beginning_is_refused(server: TestServer) {
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let common = make(&server, "common").await;
    server.register(Spec::confidential("one")).await;
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let shipped = seal_audit::newest_checkpoint(&server.app).await.unwrap();
    // Another history from the same beginning, longer than what was shipped.
    let change = Change::replacing(&server);
    let (server, _) = restored(server, &common, change).await;
    for id in ["two", "three", "four"] {
        server.register(Spec::confidential(id)).await;
    }
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let forked = make(&server, "forked").await;
    let change = Change {
        checkpoint: shipped,
        ..Change::replacing(&server)
    };
    let (server, outcome) = try_restore(server, &forked, change).await;
    assert!(why(outcome).contains("--checkpoint"));
    let change = Change {
        checkpoint: Some("nonsense".to_owned()),
        ..Change::replacing(&server)
    };
    let (server, outcome) = try_restore(server, &forked, change).await;
    assert!(why(outcome).contains("--checkpoint"));
    let change = Change::replacing(&server);
    restored(server, &forked, change).await;
}

async fn a_backup_that_was_just_made_is_never_removed(server: TestServer) {
    let folder = server.directory.path().join("backups");
    std::fs::create_dir(&folder).unwrap();
    let first = made(&server, &folder, None).await.unwrap();
    // As if it was made by a clock that was far ahead.
    let said = first.header.created_at.millis().to_string();
    let mut bytes = std::fs::read(&first.file).unwrap();
    let at = bytes
        .windows(said.len())
        .position(|part| part == said.as_bytes())
        .unwrap();
    bytes[at..at + said.len()].fill(b'9');
    std::fs::write(&first.file, bytes).unwrap();
    server.advance(1);
    let second = made(&server, &folder, Some(1)).await.unwrap();
    assert!(second.file.exists());
    assert_eq!(second.removed, [first.file]);
}

async fn of_an_installation_made_at_the_same_moment_nothing_is_lost(server: TestServer) {
    let file = make(&server, "one").await;
    let issuer = server.issuer.clone();
    let clock = server.clock.clone();
    let (_server, ()) = server
        .restart_after(async move |config| {
            for n in 0..6 {
                one_makes_and_one_restores((config, &issuer), &file, &clock, n).await;
            }
        })
        .await;
}

/// Sets up an installation with a root key of its own and restores into the same empty database:
/// whichever comes first stays.
async fn one_makes_and_one_restores(
    (config, issuer): (&Config, &str),
    file: &Path,
    clock: &Clock,
    n: usize,
) {
    let folder = config.root_key_file.parent().unwrap();
    let url = match &config.database {
        Database::Sqlite(_) => format!("sqlite:{}", folder.join(format!("{n}.db")).display()),
        Database::Postgres(_) => template::empty_postgres(),
    };
    let config = template::config(issuer, &url, folder);
    let location = || match &config.database {
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    let root = RootKey::generate().unwrap();
    let made = async {
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        let store = Store::connect(location()).await?;
        store.migrate().await?;
        let vault = install::vault(&store, &root, clock).await;
        let issuer = install::check_issuer(&store, issuer).await;
        store.close().await;
        vault?;
        issuer.map(|issuer| issuer.unwrap())
    };
    let order = countersign::flows::restore::Order {
        config: &config,
        root: &template::ROOT,
        file,
        replace: None,
        checkpoint: None,
        keep_consents: false,
        operator: None,
        clock,
    };
    let none = Progress::none();
    let restoring = countersign::flows::restore::restore(order, &none);
    let (made, restored) = tokio::join!(made, restoring);
    assert!(made.is_ok() != restored.is_ok(), "{made:?} {restored:?}");
    let root = if made.is_ok() { &root } else { &template::ROOT };
    let store = Store::connect(location()).await.unwrap();
    let opened = install::vault(&store, root, clock).await;
    store.close().await;
    assert!(opened.is_ok(), "{:?}", opened.err());
    if let Ok(restored) = restored {
        assert_eq!(restored.kept, None);
    }
}

/// The backup is older than the clock says it is, and yet the clock is behind.
async fn a_clock_that_is_behind_what_is_replaced_is_named(server: TestServer) {
    let file = make(&server, "one").await;
    server.advance(3600);
    server.person("ada").await;
    let then = Clock::manual(template::START.plus(std::time::Duration::from_mins(1)));
    let issuer = server.issuer.clone();
    let (server, outcome) = server
        .restart_after(async move |config| {
            let order = countersign::flows::restore::Order {
                config,
                root: &template::ROOT,
                file: &file,
                replace: Some(&issuer),
                checkpoint: None,
                keep_consents: false,
                operator: None,
                clock: &then,
            };
            countersign::flows::restore::restore(order, &Progress::none()).await
        })
        .await;
    let why = why(outcome);
    assert!(why.contains("clock") && why.contains("replaced"), "{why}");
    assert_eq!(server.get("/readyz").await.status, 200);
}

async fn a_clock_that_is_behind_is_named(server: TestServer) {
    server.advance(3600);
    let file = make(&server, "one").await;
    let config = server.config().clone();
    let order = countersign::flows::restore::Order {
        config: &config,
        root: &template::ROOT,
        file: &file,
        replace: Some(&server.issuer),
        checkpoint: None,
        keep_consents: false,
        operator: None,
        clock: &Clock::manual(template::START),
    };
    let outcome = countersign::flows::restore::restore(order, &Progress::none()).await;
    assert!(why(outcome).contains("clock"));
}
