//! The table, and the same as JSON.

use std::fs;
use std::path::Path;

use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::arena::{Pair, Seen};
use crate::work::Row;
use crate::{Engine, Failed, Options, machine};

/// Collects what was measured, and prints each row as it comes.
pub struct Report {
    settings: Value,
    rows: Vec<Value>,
    beside: Vec<Value>,
    markdown: String,
    failed: usize,
}

impl Report {
    /// Prints what holds for all rows.
    pub fn begin(options: &Options) -> Self {
        let machine = machine::describe();
        let settings = json!({
            "machine": machine,
            "version": env!("CARGO_PKG_VERSION"),
            "connections": options.connections,
            "runs": options.runs,
            "seconds": options.seconds,
            "log": options.log,
            "tokens": options.tokens,
            "people": options.people,
            "clients": options.clients,
        });
        let mut this = Self {
            settings,
            rows: Vec::new(),
            beside: Vec::new(),
            markdown: String::new(),
            failed: 0,
        };
        this.say(&format!(
            "{machine}. Countersign {}.",
            env!("CARGO_PKG_VERSION")
        ));
        this.say(&format!(
            "Server on processor 0, load and PostgreSQL on processor 1; {} connections; median of {} \
             runs of {} s; {} tokens, {} people, {} clients; log filter {:?}.",
            options.connections,
            options.runs,
            options.seconds,
            options.tokens,
            options.people,
            options.clients,
            options.log
        ));
        this
    }

    /// Prints a line, and keeps it.
    fn say(&mut self, line: &str) {
        println!("{line}");
        self.markdown.push_str(line);
        self.markdown.push('\n');
    }

    /// Begins an engine's table.
    pub fn engine(&mut self, engine: Engine, setting: &str) {
        self.say(&format!("\n**{}** ({setting})\n", engine.name()));
        self.say(
            "| row | server/s | ceiling/s | of it | CPU \u{b5}s | ceiling's CPU \u{b5}s | of it | p50 ms \
             | p99 ms | ceiling's p99 ms | RSS MiB | what the ceiling does |",
        );
        self.say("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    }

    /// Says what is measured now.
    #[expect(clippy::unused_self, reason = "a report is printed by its methods")]
    pub fn waiting(&self, what: &str) {
        eprintln!("measuring {what}");
    }

    /// Ends a row.
    pub fn row(&mut self, engine: Engine, row: Row, outcome: Result<Pair, Failed>) {
        let (title, what) = row.titles();
        let name = row.to_possible_value();
        let mut shown = json!({
            "engine": engine.name(),
            "row": name.as_ref().map(clap::builder::PossibleValue::get_name),
            "title": title,
            "ceiling_does": what,
        });
        match outcome {
            Ok(pair) => {
                let (ceiling, server) = (Summary::of(&pair.ceiling), Summary::of(&pair.server));
                let ratio = server.rate / ceiling.rate;
                let of_cpu = ceiling.cpu / server.cpu;
                self.say(&format!(
                    "| {title} | {} | {} | {:.0}% | {:.1} | {:.1} | {:.0}% | {} | {} | {} | {} | {what}{} |",
                    rate(server.rate),
                    rate(ceiling.rate),
                    ratio * 100.0,
                    server.cpu,
                    ceiling.cpu,
                    of_cpu * 100.0,
                    time(server.p50),
                    time(server.p99),
                    time(ceiling.p99),
                    server.resident,
                    noise(pair.ceiling.iter().chain(&pair.server)),
                ));
                shown["ratio"] = json!(ratio);
                shown["cpu_ratio"] = json!(of_cpu);
                shown["ceiling"] = ceiling.json(&pair.ceiling);
                shown["server"] = server.json(&pair.server);
            }
            Err(failed) => {
                self.say(&format!("| {title} | FAILED: {failed} |"));
                self.failed += 1;
                shown["failed"] = json!(failed.to_string());
            }
        }
        self.rows.push(shown);
    }

    /// Tells something about an engine that is no row.
    pub fn fact(&mut self, engine: Engine, name: &str, outcome: Result<(String, Value), Failed>) {
        let mut shown = json!({ "engine": engine.name(), "what": name });
        match outcome {
            Ok((sentence, value)) => {
                self.say(&format!("\n{sentence}"));
                shown["value"] = value;
            }
            Err(failed) => {
                self.failed += 1;
                self.say(&format!("\n{name}: FAILED: {failed}"));
                shown["failed"] = json!(failed.to_string());
            }
        }
        self.beside.push(shown);
    }

    /// Begins the table of a peer.
    pub fn peer(&mut self, name: &str) {
        self.say(&format!("\n**{name}**\n"));
        self.say("| row | peer/s | CPU \u{b5}s | p50 ms | p99 ms | RSS MiB |");
        self.say("|---|---:|---:|---:|---:|---:|");
    }

    /// Ends a row of a peer.
    pub fn peer_row(&mut self, name: &str, row: Row, outcome: Result<Vec<Seen>, Failed>) {
        let title = row.titles().0;
        let mut shown = json!({ "peer": name, "title": title });
        match outcome {
            Ok(runs) => {
                let peer = Summary::of(&runs);
                self.say(&format!(
                    "| {title} | {} | {:.1} | {} | {} | {}{} |",
                    rate(peer.rate),
                    peer.cpu,
                    time(peer.p50),
                    time(peer.p99),
                    peer.resident,
                    noise(runs.iter()),
                ));
                shown["runs"] = peer.json(&runs);
            }
            Err(failed) => {
                // A peer that fails is no fault of ours.
                self.say(&format!("| {title} | FAILED: {failed} |"));
                shown["failed"] = json!(failed.to_string());
            }
        }
        self.beside.push(shown);
    }

    /// Writes the tables as Markdown.
    pub fn write_markdown(&self, file: &Path) -> Result<(), Failed> {
        fs::write(file, &self.markdown)
            .map_err(|error| format!("{}: {error}", file.display()).into())
    }

    /// Whether no row failed.
    pub const fn all_passed(&self) -> bool {
        self.failed == 0
    }

    /// Writes everything as JSON.
    pub fn write(&self, file: &Path) -> Result<(), Failed> {
        let all = json!({
            "settings": self.settings,
            "rows": self.rows,
            "beside": self.beside,
        });
        let text = serde_json::to_string_pretty(&all)?;
        fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(())
    }
}

/// The medians of several runs.
struct Summary {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    resident: u64,
}

impl Summary {
    fn of(runs: &[Seen]) -> Self {
        let of = |value: fn(&Seen) -> f64| median(runs.iter().map(value).collect());
        Self {
            rate: of(|seen| seen.run.rate),
            p50: of(|seen| seen.run.p50),
            p99: of(|seen| seen.run.p99),
            cpu: of(|seen| seen.run.cpu),
            resident: runs.iter().map(|seen| seen.resident).max().unwrap_or(0),
        }
    }

    fn json(&self, runs: &[Seen]) -> Value {
        let runs: Vec<Value> = runs
            .iter()
            .map(|seen| {
                json!({
                    "per_second": seen.run.rate,
                    "done": seen.run.done,
                    "p50_ms": seen.run.p50,
                    "p99_ms": seen.run.p99,
                    "cpu_us": seen.run.cpu,
                    "resident_mib": seen.resident,
                    "others": seen.others,
                    "quiet_before": seen.quiet,
                })
            })
            .collect();
        json!({
            "per_second": self.rate,
            "p50_ms": self.p50,
            "p99_ms": self.p99,
            "cpu_us": self.cpu,
            "resident_mib": self.resident,
            "runs": runs,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => f64::midpoint(values[middle - 1], *value),
        (None, _) => 0.0,
    }
}

/// Says when others had a part in the figures.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an iterator is made to be handed over"
)]
fn noise<'a>(runs: impl Iterator<Item = &'a Seen> + Clone) -> String {
    let others = runs.clone().map(|seen| seen.others).fold(0.0, f64::max);
    if others > machine::NOISE {
        format!(
            "; NOISY: others had up to {:.0}% of the processors",
            others * 100.0
        )
    } else if runs.clone().any(|seen| !seen.quiet) {
        "; noisy: the machine was not quiet before each run".to_owned()
    } else {
        String::new()
    }
}

/// Three digits that mean something.
fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.0}")
    }
}

fn time(millis: f64) -> String {
    if millis < 10.0 {
        format!("{millis:.2}")
    } else {
        format!("{millis:.0}")
    }
}
