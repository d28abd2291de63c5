//! Turns `locales/<language>/<area>.ftl` (Project Fluent) into Rust: the enum `Lang`, and a method
//! of `Words` for each message. A language that lacks a message, has one too many or uses other
//! variables stops the build, so that no page can ever show a hole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use fluent_syntax::ast::{
    CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement, Resource,
};

/// The language that every other is compared with, and whose texts become the documentation.
const REFERENCE: &str = "en";

type Wrongs = Vec<String>;

/// A message: its text, for the documentation, and the variables in it.
struct Message {
    file: String,
    text: String,
    variables: BTreeSet<String>,
}

/// A language: its tag, its files, and what they say.
struct Language {
    tag: String,
    files: Vec<PathBuf>,
    messages: BTreeMap<String, Message>,
}

fn main() {
    for watched in ["build.rs", "locales", "migrations"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let written = languages(Path::new("locales")).and_then(|languages| {
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("words.rs");
        fs::write(&out, rust(&languages))
            .map_err(|error| vec![format!("{}: {error}", out.display())])
    });
    if let Err(wrongs) = written {
        for wrong in wrongs {
            println!("cargo::error={wrong}");
        }
        process::exit(1);
    }
}

/// Reads all languages, and compares them.
fn languages(folder: &Path) -> Result<Vec<Language>, Wrongs> {
    let mut wrongs = Vec::new();
    let mut languages = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        match language(&path) {
            Ok(language) => languages.push(language),
            Err(more) => wrongs.extend(more),
        }
    }
    let reference = languages.iter().find(|one| one.tag == REFERENCE);
    let Some(reference) = reference else {
        wrongs.push(format!("{}/{REFERENCE} is missing", folder.display()));
        return Err(wrongs);
    };
    for other in &languages {
        wrongs.extend(differences(reference, other));
    }
    if wrongs.is_empty() {
        Ok(languages)
    } else {
        Err(wrongs)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Wrongs> {
    let explain = |error| vec![format!("{}: {error}", folder.display())];
    let read = fs::read_dir(folder).map_err(explain)?;
    let mut paths: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn language(folder: &Path) -> Result<Language, Wrongs> {
    let tag = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut language = Language {
        tag: tag.into_owned(),
        files: Vec::new(),
        messages: BTreeMap::new(),
    };
    let mut wrongs = Vec::new();
    for path in entries(folder)? {
        if path.extension().is_none_or(|extension| extension != "ftl") {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => wrongs.extend(read(&mut language, &path, &text)),
            Err(error) => wrongs.push(format!("{}: {error}", path.display())),
        }
        language.files.push(path);
    }
    if wrongs.is_empty() {
        Ok(language)
    } else {
        Err(wrongs)
    }
}

/// Adds the messages of one file.
fn read(language: &mut Language, path: &Path, text: &str) -> Wrongs {
    let file = path.display().to_string();
    let parsed: Resource<&str> = match fluent_syntax::parser::parse(text) {
        Ok(parsed) => parsed,
        Err((_, errors)) => {
            let line = |at: usize| text[..at.min(text.len())].lines().count().max(1);
            let say = |error: fluent_syntax::parser::ParserError| {
                format!("{file}:{}: {}", line(error.pos.start), error.kind)
            };
            return errors.into_iter().map(say).collect();
        }
    };
    let mut wrongs = Vec::new();
    for entry in parsed.body {
        let message = match entry {
            Entry::Message(message) => message,
            Entry::Term(_)
            | Entry::Comment(_)
            | Entry::GroupComment(_)
            | Entry::ResourceComment(_) => continue,
            Entry::Junk { content } => {
                wrongs.push(format!("{file}: cannot be understood: {}", content.trim()));
                continue;
            }
        };
        let key = message.id.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !key.chars().all(plain) {
            wrongs.push(format!(
                "{file}: {key}: write keys in lower case, with hyphens"
            ));
        }
        if !message.attributes.is_empty() {
            wrongs.push(format!("{file}: {key}: attributes are not used here"));
        }
        let Some(pattern) = message.value else {
            wrongs.push(format!("{file}: {key} has no text"));
            continue;
        };
        let mut found = Found::default();
        found.pattern(&pattern);
        wrongs.extend(
            found
                .wrongs
                .iter()
                .map(|wrong| format!("{file}: {key}: {wrong}")),
        );
        let message = Message {
            file: file.clone(),
            text: found.text,
            variables: found.variables,
        };
        if let Some(twice) = language.messages.insert(key.to_owned(), message) {
            wrongs.push(format!("{file}: {key} is also in {}", twice.file));
        }
    }
    wrongs
}

/// What is in a pattern.
#[derive(Default)]
struct Found {
    text: String,
    variables: BTreeSet<String>,
    wrongs: Wrongs,
}

impl Found {
    fn pattern(&mut self, pattern: &Pattern<&str>) {
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { value } => self.text.push_str(value),
                PatternElement::Placeable { expression } => self.expression(expression),
            }
        }
    }

    fn expression(&mut self, expression: &Expression<&str>) {
        match expression {
            Expression::Inline(inline) => self.inline(inline),
            Expression::Select { selector, variants } => {
                let before = self.text.len();
                self.inline(selector);
                self.text.truncate(before);
                // The documentation shows the variant that is taken when no other fits.
                for variant in variants {
                    let before = self.text.len();
                    self.pattern(&variant.value);
                    if !variant.default {
                        self.text.truncate(before);
                    }
                }
            }
        }
    }

    fn inline(&mut self, inline: &InlineExpression<&str>) {
        match inline {
            InlineExpression::StringLiteral { value }
            | InlineExpression::NumberLiteral { value } => {
                self.text.push_str(value);
            }
            InlineExpression::VariableReference { id } => {
                let _ = write!(self.text, "{{${}}}", id.name);
                self.variables.insert(id.name.to_owned());
            }
            InlineExpression::FunctionReference { id, arguments } => {
                if id.name != "NUMBER" {
                    self.wrongs
                        .push(format!("there is no function {}", id.name));
                }
                self.arguments(arguments);
            }
            InlineExpression::TermReference { id, arguments, .. } => {
                let _ = write!(self.text, "{{-{}}}", id.name);
                if let Some(arguments) = arguments {
                    self.arguments(arguments);
                }
            }
            InlineExpression::MessageReference { id, .. } => {
                let wrong = format!("refers to the message {}; make that a term (-{0})", id.name);
                self.wrongs.push(wrong);
            }
            InlineExpression::Placeable { expression } => self.expression(expression),
        }
    }

    fn arguments(&mut self, arguments: &CallArguments<&str>) {
        for argument in &arguments.positional {
            self.inline(argument);
        }
    }
}

/// What `other` lacks, has too much, or says with other variables.
fn differences(reference: &Language, other: &Language) -> Wrongs {
    let mut wrongs = Vec::new();
    for (key, message) in &reference.messages {
        let Some(theirs) = other.messages.get(key) else {
            let place = message.file.replacen(REFERENCE, &other.tag, 1);
            wrongs.push(format!("{place} lacks {key} ({})", message.text));
            continue;
        };
        if theirs.variables != message.variables {
            wrongs.push(format!(
                "{}: {key} uses the variables {:?}, but {} uses {:?}",
                theirs.file, theirs.variables, message.file, message.variables
            ));
        }
    }
    for (key, message) in &other.messages {
        if !reference.messages.contains_key(key) {
            wrongs.push(format!("{}: {key} is not in {REFERENCE}", message.file));
        }
    }
    wrongs
}

/// The generated module.
fn rust(languages: &[Language]) -> String {
    let mut code = String::new();
    let variants: Vec<(String, &Language)> =
        languages.iter().map(|l| (variant(&l.tag), l)).collect();
    code.push_str("/// A language that every page is written in.\n");
    code.push_str(
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Lang {\n",
    );
    for (name, language) in &variants {
        let _ = writeln!(code, "/// `{}`\n{name},", language.tag);
    }
    let names: Vec<String> = variants
        .iter()
        .map(|(name, _)| format!("Self::{name}"))
        .collect();
    let _ = writeln!(
        code,
        "}}\nimpl Lang {{\n/// Every language, in the order of the tags.\npub const ALL: [Self; {}] = [{}];",
        names.len(),
        names.join(", ")
    );
    code.push_str("/// The BCP 47 tag, for `lang`.\n#[must_use]\npub const fn tag(self) -> &'static str {\nmatch self {\n");
    for (name, language) in &variants {
        let _ = writeln!(code, "Self::{name} => {:?},", language.tag);
    }
    code.push_str("}\n}\nconst fn sources(self) -> &'static [&'static str] {\nmatch self {\n");
    for (name, language) in &variants {
        let _ = writeln!(code, "Self::{name} => &[");
        for file in &language.files {
            let file = fs::canonicalize(file).unwrap_or_else(|_| file.clone());
            let _ = writeln!(code, "include_str!({:?}),", file.display().to_string());
        }
        code.push_str("],\n");
    }
    code.push_str("}\n}\n}\n");
    let _ = writeln!(
        code,
        "#[allow(clippy::derivable_impls, reason = \"which one is the default is known here alone\")]\nimpl Default for Lang {{ fn default() -> Self {{ Self::{} }} }}",
        variant(REFERENCE)
    );
    code.push_str("impl Words {\n");
    let reference = languages.iter().find(|one| one.tag == REFERENCE);
    for (key, message) in reference.iter().flat_map(|one| &one.messages) {
        code.push_str(&method(key, message));
    }
    code.push_str("}\n");
    code
}

fn method(key: &str, message: &Message) -> String {
    let mut parameters = String::new();
    let mut arguments = String::new();
    for variable in &message.variables {
        let name = variable.replace('-', "_");
        let _ = write!(parameters, ", {name}: impl Value");
        let _ = write!(arguments, "({variable:?}, {name}.value()), ");
    }
    let text = message.text.replace(['\n', '`'], " ");
    let name = key.replace('-', "_");
    format!(
        "/// `{text}`\n#[must_use]\npub fn {name}(self{parameters}) -> String {{ self.say({key:?}, &[{arguments}]) }}\n"
    )
}

/// `de` → `De`, `pt-BR` → `PtBR`.
fn variant(tag: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    tag.split('-').map(capital).collect()
}
