//! `docs/standards.md` claims only what a test shows: each test that it names exists.

use std::fs;
use std::path::{Path, PathBuf};

/// What a row may say of a requirement.
const STATES: [&str; 4] = ["yes", "partly", "no", "not applicable"];

/// A row of one of the tables: section, requirement, status, tests.
struct Row {
    line: usize,
    status: String,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/standards.md");
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with('|'))
        .map(|(at, line)| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 4, "docs/standards.md:{}: {line}", at + 1);
            let tests = cells[3].split('`').skip(1).step_by(2);
            Row {
                line: at + 1,
                status: cells[2].to_owned(),
                tests: tests.map(str::to_owned).collect(),
            }
        })
        .filter(|row| row.status != "status" && !row.status.starts_with("---"))
        .collect()
}

#[test]
fn what_is_claimed_is_shown_by_a_test_that_exists() {
    let rows = rows();
    assert!(rows.len() > 50, "the tables were not understood");
    let mut wrong = Vec::new();
    for row in rows {
        if !STATES.contains(&row.status.as_str()) {
            wrong.push(format!("line {}: status {:?}", row.line, row.status));
        }
        if row.status == "yes" && row.tests.is_empty() {
            wrong.push(format!("line {}: yes, but no test", row.line));
        }
        for test in row.tests {
            if !exists(&test) {
                wrong.push(format!("line {}: there is no test {test}", row.line));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/standards.md:\n{}", wrong.join("\n"));
}

/// Whether a test `oauth::code::a_code_lives_for_a_minute` (in `tests/it`) or
/// `rules::jose::tests::…` (in `crates/rules`) stands where its path says.
fn exists(test: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (base, path) = match test.split_once("::") {
        Some(("rules", path)) => (root.join("crates/rules/src"), path),
        Some(("countersign", path)) => (root.join("src"), path),
        _ => (root.join("tests/it"), test),
    };
    let mut steps: Vec<_> = path.split("::").collect();
    let Some(name) = steps.pop() else {
        return false;
    };
    let place: PathBuf = base.join(steps.join("/"));
    // A module's tests lie in its own file, or in a file of their own beside it.
    let without_tests = steps.last().is_some_and(|step| *step == "tests");
    let mut files = vec![place.with_extension("rs"), place.join("mod.rs")];
    if without_tests {
        let module = base.join(steps[..steps.len() - 1].join("/"));
        files.extend([module.with_extension("rs"), module.join("mod.rs")]);
    }
    files.iter().any(|file| {
        fs::read_to_string(file).is_ok_and(|source| source.contains(&format!("fn {name}(")))
    })
}

#[test]
fn each_promise_of_reliability_is_shown_by_a_test_that_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let text = fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let rows = text.lines().enumerate().filter(|(_, line)| {
        line.starts_with('|') && !line.starts_with("|---") && !line.ends_with("| test |")
    });
    for (at, row) in rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("line {}: a promise without a test", at + 1));
        }
        for test in tests.into_iter().filter(|test| !exists(test)) {
            wrong.push(format!("line {}: there is no test {test}", at + 1));
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/reliability.md:\n{}",
        wrong.join("\n")
    );
}
