//! The house keeps its shape: arrows between the rooms run one way, SQL stays in the store, and
//! only the clock asks what time it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the bottom up. A room may use those of lower floors; those at the bottom, which
/// are small and know nothing of the others, may use each other.
const FLOORS: [&[&str]; 8] = [
    &[
        "certificate",
        "clock",
        "config",
        "document",
        "crash",
        "fault",
        "hasher",
        "paths",
        "rng",
        "secret",
        "telemetry",
        "totp",
        "trust",
        "words",
        "workers",
    ],
    &["vault"],
    &["defence", "mail", "outbound", "store"],
    &["client_keys", "keyring", "registry"],
    &["app", "flows"],
    &["http", "jobs"],
    &["cli", "server"],
    &["main"],
];

/// What one room may use of its own floor.
const BESIDE: [(&str, &str); 3] = [("app", "flows"), ("flows", "app"), ("cli", "server")];

#[test]
fn arrows_between_the_rooms_run_one_way() {
    let wrong: Vec<String> = sources("src")
        .into_iter()
        .filter_map(|file| Some((room(&file)?, file)))
        .flat_map(|(room, file)| {
            let wrong = wrong_arrows(&room, &read(&file));
            wrong
                .into_iter()
                .map(move |wrong| format!("{}: {wrong}", file.display()))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "arrows the wrong way:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn transactions_are_opened_by_flows_alone() {
    let writes = ["write(|tx|", "write(move |tx|"];
    complain("opens a transaction outside the flows", &writes, |file| {
        !matches!(room(file).as_deref(), Some("flows" | "store"))
    });
    complain("asks the store past the flows", &["|tx|"], |file| {
        matches!(room(file).as_deref(), Some("http" | "jobs" | "server"))
    });
}

#[test]
fn sql_is_in_the_store_alone() {
    complain(
        "holds SQL outside the store",
        &["Sql(", "sqlx::query", "raw_sql("],
        |file| room(file).as_deref() != Some("store"),
    );
}

#[test]
fn the_clock_alone_asks_what_time_it_is() {
    let asks = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Utc::now",
        "now_v7(",
    ];
    complain("asks the system for the time", &asks, |file| {
        room(file).as_deref() != Some("clock")
    });
}

#[test]
fn randomness_comes_from_one_place() {
    let asks = ["rand::fill", "rand::random", "new_v4(", "getrandom"];
    complain("asks the system for randomness", &asks, |file| {
        file.starts_with(root().join("src")) && room(file).as_deref() != Some("rng")
    });
}

/// Whatever else a person does after a proof says there how strong it must be.
#[test]
fn proofs_are_for_signing_in_or_go_through_fresh() {
    complain("acts on a proof by itself", &[" Act for "], |file| {
        let home = root().join("src/flows");
        ![home.join("fresh.rs"), home.join("sign_in.rs")].contains(&file.to_owned())
    });
}

#[test]
fn every_room_has_its_floor() {
    let rooms: BTreeSet<_> = sources("src")
        .iter()
        .filter_map(|file| room(file))
        .collect();
    let homeless: Vec<_> = rooms.iter().filter(|room| floor(room).is_none()).collect();
    assert!(
        homeless.is_empty(),
        "rooms without a floor in FLOORS: {homeless:?}"
    );
}

#[test]
fn an_arrow_the_wrong_way_is_noticed() {
    for (from, code, wrong) in [
        (
            "store",
            "use crate::flows::issue;",
            &["store → flows"] as &[_],
        ),
        ("store", "use crate::vault::{Cell, KeyUse};", &[]),
        ("vault", "fn f(_: &crate::store::Tx) {}", &["vault → store"]),
        (
            "http",
            "use crate::{\n    flows::{self, issue},\n    cli,\n};",
            &["http → cli"],
        ),
        ("jobs", "use crate::http::Peer;", &["jobs → http"]),
        ("flows", "use crate::app::App;", &[]),
        ("server", "use crate::cli;", &["server → cli"]),
        ("fault", "// use crate::http;\n/// [`crate::http`]", &[]),
        ("main", "use countersign::cli;", &[]),
    ] {
        assert_eq!(wrong_arrows(from, code), wrong, "{code}");
    }
}

/// The arrows from `room` that its floor does not allow, in the order of the text.
fn wrong_arrows(room: &str, code: &str) -> Vec<String> {
    let allowed = |to: &str| {
        let (here, there) = (floor(room), floor(to));
        let at_bottom = here == Some(0) && there == Some(0);
        room == to || here > there || at_bottom || BESIDE.contains(&(room, to))
    };
    let rooms = used(&without_comments(code));
    let wrong = rooms
        .into_iter()
        .filter(|to| floor(to).is_some() && !allowed(to));
    wrong.map(|to| format!("{room} → {to}")).collect()
}

/// The first names of all paths that begin at the crate's root.
fn used(code: &str) -> Vec<String> {
    let roots = ["crate::", "countersign::"];
    let mut used = Vec::new();
    for rest in roots.iter().flat_map(|root| code.split(root).skip(1)) {
        if let Some(group) = rest.strip_prefix('{') {
            used.extend(first_names(group));
        } else {
            used.push(name(rest));
        }
    }
    used
}

/// The first names of the paths in a group, whose opening brace is already taken off.
fn first_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut begins = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> String {
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    text.chars().take_while(is_name).collect()
}

/// Fails when a file that `concerns` picks holds one of the texts.
fn complain(what: &str, texts: &[&str], concerns: impl Fn(&Path) -> bool) {
    let mut found = Vec::new();
    for file in sources("src")
        .into_iter()
        .chain(sources("crates/rules/src"))
    {
        if !concerns(&file) {
            continue;
        }
        for (number, line) in without_comments(&read(&file)).lines().enumerate() {
            if texts.iter().any(|text| line.contains(text)) {
                found.push(format!(
                    "{}:{}: {what}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The code with its comment lines emptied, so that line numbers stay.
fn without_comments(code: &str) -> String {
    let keep = |line: &str| {
        if line.trim_start().starts_with("//") {
            String::new()
        } else {
            line.to_owned()
        }
    };
    code.lines().map(keep).collect::<Vec<_>>().join("\n")
}

/// The room a file belongs to: the first step below `src`. The map itself, `lib.rs`, is none.
fn room(file: &Path) -> Option<String> {
    let below = file.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then(|| room.to_owned())
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every Rust file below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
