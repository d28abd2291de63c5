//! `docs/reference/` is written from the code. These tests fail when it is not what the code says;
//! `REFERENCE=write cargo test --test it reference` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use countersign::cli::Cli;
use countersign::http::pages::errors::{self, Spec};
use countersign::words::Lang;
use rules::audit::Kind;

/// Said at the top of each page.
const MADE: &str = "<!-- Made from the code: `REFERENCE=write cargo test --test it reference`. -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a page with what is on disk, or writes it.
fn page(name: &str, title: &str, body: &str) {
    let path = root().join("docs/reference").join(name);
    let text = format!("{MADE}\n\n# {title}\n\n{}\n", body.trim_end());
    if std::env::var("REFERENCE").is_ok_and(|mode| mode == "write") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/reference/{name} is not what the code says; write it anew with REFERENCE=write cargo \
         test --test it reference"
    );
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn the_page_of_audit_events_is_the_codes() {
    let mut body = String::from(
        "Every kind of event in the audit log. Names are part of the log's format: they are added, \
         never changed.\n\n| event | what happened |\n|---|---|\n",
    );
    for kind in Kind::ALL {
        writeln!(
            body,
            "| `{}` | {} |",
            kind.as_str(),
            cell(kind.description())
        )
        .unwrap();
    }
    page("audit-events.md", "Audit events", &body);
}

#[test]
fn the_page_of_errors_is_what_the_server_explains() {
    let mut body = String::from(
        "What the server's own `/errors` pages explain, in English; each error's `error_uri` leads there. Words in \
         capitals stand for values of your own, `ISSUER` for the server's.\n",
    );
    let say = Lang::En.words();
    for error in errors::all() {
        let Spec(section, address) = error.spec;
        let code = error.code.as_str();
        write!(
            body,
            "\n## {code}\n\n{} ([{section}]({address}))\n",
            (error.means)(say)
        )
        .unwrap();
        for topic in error.topics {
            write!(
                body,
                "\n### {}\n\n{} ([{}]({}))\n",
                (topic.title)(say),
                (topic.text)(say),
                topic.spec.0,
                topic.spec.1
            )
            .unwrap();
            for (which, example) in [("Wrong", topic.wrong), ("Right", topic.right)] {
                if !example.is_empty() {
                    write!(body, "\n{which}:\n\n```text\n{example}\n```\n").unwrap();
                }
            }
        }
    }
    page("errors.md", "Errors", &body);
}

#[test]
fn the_page_of_commands_is_the_programs_own_help() {
    let mut body = String::from(
        "What `countersign COMMAND --help` says, of every command. `--json` prints one JSON object \
         instead of text; `--config FILE` names the settings.\n",
    );
    let program = Cli::command();
    describe(&program, "", &mut body);
    page("commands.md", "Commands", &body);
}

/// Writes the help of the commands below `parent`, deepest last.
fn describe(parent: &clap::Command, path: &str, body: &mut String) {
    let mut children: Vec<_> = parent
        .get_subcommands()
        .filter(|child| child.get_name() != "help" && !child.is_hide_set())
        .collect();
    children.sort_by_key(|child| child.get_name().to_owned());
    for child in children {
        let path = format!("{path} {}", child.get_name());
        if child.has_subcommands() {
            describe(child, &path, body);
            continue;
        }
        let name = format!("countersign{path}");
        let mut alone = child.clone().bin_name(&name).term_width(100);
        let help = alone.render_long_help().to_string();
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        write!(
            body,
            "\n## {name}\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        )
        .unwrap();
    }
}

#[test]
fn the_page_of_settings_is_the_example_file() {
    let example = read("countersign.example.toml");
    let mut body = String::from(
        "Every setting of `countersign.toml`, as `countersign.example.toml` explains it. The \
         environment goes over the file: `COUNTERSIGN__SERVER__LISTEN` sets `server.listen`; \
         several values stand between commas. A setting without a default must be given.\n",
    );
    let mut section = String::new();
    let mut explained: Vec<String> = Vec::new();
    for line in example.lines() {
        if let Some(name) = section_of(line) {
            name.clone_into(&mut section);
            write!(body, "\n## {section}\n").unwrap();
            explained.clear();
        } else if let Some((name, value, optional)) = setting(line) {
            let dotted = dotted(&section, name);
            let default = if optional { "Default" } else { "Example" };
            write!(
                body,
                "\n### `{dotted}`\n\n{}\n\n{default}: `{value}`\n",
                explained.join(" ")
            )
            .unwrap();
            explained.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            explained.push(text.trim().to_owned());
        } else if line.is_empty() {
            explained.clear();
        }
    }
    page("settings.md", "Settings", &body);
}

/// The section that a line begins; one that repeats is commented out.
fn section_of(line: &str) -> Option<&str> {
    let repeated = line.strip_prefix("# [[").and_then(|l| l.strip_suffix("]]"));
    repeated.or_else(|| line.strip_prefix('[').and_then(|l| l.strip_suffix(']')))
}

/// A line that sets something, or shows the default of something: name, value, whether it is
/// commented out.
fn setting(line: &str) -> Option<(&str, &str, bool)> {
    let bare = line.strip_prefix("# ").unwrap_or(line);
    let (name, value) = bare.split_once(" = ")?;
    let named = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    named.then_some((name, value, bare.len() != line.len()))
}

fn dotted(section: &str, name: &str) -> String {
    if section.is_empty() {
        return name.to_owned();
    }
    format!("{section}.{name}")
}

#[test]
fn the_example_file_has_every_setting_and_no_other() {
    let mut shown = BTreeSet::new();
    let mut section = String::new();
    for line in read("countersign.example.toml").lines() {
        if let Some(name) = section_of(line) {
            name.clone_into(&mut section);
        } else if let Some((name, _, _)) = setting(line) {
            shown.insert(dotted(&section, name));
        }
    }
    let known = known_settings();
    let missing: Vec<_> = known.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
    assert!(unknown.is_empty(), "no such setting: {unknown:?}");
}

/// The settings that the program reads: the fields of `File`, and of the structs behind them.
fn known_settings() -> BTreeSet<String> {
    let source: String = rust_files("src/config")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut known = BTreeSet::new();
    for (section, kind) in fields(&source, "File") {
        let one = kind.strip_prefix("Vec<").and_then(|k| k.strip_suffix('>'));
        let kind = one.unwrap_or(&kind);
        if kind.ends_with("File") {
            let inner = fields(&source, kind);
            assert!(!inner.is_empty(), "struct {kind} was not found");
            known.extend(inner.into_iter().map(|(name, _)| dotted(&section, &name)));
        } else {
            known.insert(section);
        }
    }
    known
}

/// The public fields of a struct, with their types.
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = source.split_once(&format!("pub struct {name} {{\n")) else {
        return Vec::new();
    };
    let (inside, _) = rest.split_once("\n}").unwrap();
    inside
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        .map(|(name, kind)| (name.to_owned(), kind.trim_end_matches(',').to_owned()))
        .collect()
}

#[test]
fn the_page_of_endpoints_is_the_router() {
    let mut body = String::from(
        "Every address that the server answers, and what each is for. Other methods get a 405, \
         other addresses a 404.\n\n| address | methods | what it is |\n|---|---|---|\n",
    );
    let router = read("src/http/mod.rs");
    let mut seen = 0;
    for route in router.split(".route(").skip(1) {
        let Some((path, rest)) = route
            .trim_start()
            .strip_prefix('"')
            .and_then(|r| r.split_once('"'))
        else {
            continue;
        };
        let handlers = handlers(rest);
        assert!(!handlers.is_empty(), "{path} has no handler");
        let methods: Vec<_> = handlers
            .iter()
            .map(|(method, _)| method.to_uppercase())
            .collect();
        let mut told: Vec<_> = handlers
            .iter()
            .map(|(_, handler)| doc_of(handler))
            .filter(|text| !text.is_empty())
            .collect();
        told.dedup();
        writeln!(
            body,
            "| `{path}` | {} | {} |",
            methods.join(", "),
            cell(&told.join(" "))
        )
        .unwrap();
        seen += 1;
    }
    assert!(seen > 20, "the router was not understood");
    page("endpoints.md", "Endpoints", &body);
}

/// Pairs of method and `module::function` in what follows a path, up to the end of the route.
fn handlers(rest: &str) -> Vec<(String, String)> {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    let inside: String = rest[..end.unwrap_or(rest.len())]
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    ["get", "post", "put", "delete", "any"]
        .into_iter()
        .flat_map(|method| {
            let opening = format!("{method}(");
            inside
                .match_indices(&opening)
                .filter(|(at, _)| *at == 0 || !inside[..*at].ends_with(char::is_alphanumeric))
                .map(|(at, _)| {
                    let handler = &inside[at + opening.len()..];
                    let handler = handler.split([')', ',']).next().unwrap_or_default();
                    (method.to_owned(), handler.to_owned())
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The doc comment of a handler, without its first sentence when that only names the route.
fn doc_of(handler: &str) -> String {
    let (module, function) = handler.rsplit_once("::").unwrap_or(("", handler));
    let module = module.rsplit("::").next().unwrap_or_default();
    let found = rust_files("src/http").into_iter().find_map(|path| {
        let stem = path.file_stem()?.to_str()?.to_owned();
        let folder = path.parent()?.file_name()?.to_str()?.to_owned();
        if !(stem == module || (stem == "mod" && folder == module)) {
            return None;
        }
        let source = fs::read_to_string(&path).ok()?;
        let at = source.find(&format!("fn {function}("))?;
        let before = &source[..at];
        let mut doc: Vec<_> = before
            .lines()
            .rev()
            .skip_while(|line| !line.trim_start().starts_with("///"))
            .take_while(|line| line.trim_start().starts_with("///"))
            .map(|line| line.trim_start().trim_start_matches("///").trim())
            .collect();
        doc.reverse();
        let module_doc = source
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(|line| line.trim_start_matches("//!").trim())
            .collect::<Vec<_>>()
            .join(" ");
        let own = doc.join(" ");
        let own = match own.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            Some((_, rest)) => rest.trim_start_matches([':', '.', ' ']).to_owned(),
            None => own,
        };
        Some(if own.is_empty() { module_doc } else { own })
    });
    let text = found.unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
