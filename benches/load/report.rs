//! The table, and the same as JSON.

use std::fs;
use std::io::{Write as _, stdout};
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
    failed: usize,
}

impl Report {
    /// Prints what holds for all rows.
    pub fn begin(options: &Options) -> Self {
        let machine = machine::describe();
        println!("{machine}");
        println!(
            "server on processor 0, load and PostgreSQL on processor 1; {} connections; median of {} \
             runs of {} s; log filter {:?}",
            options.connections, options.runs, options.seconds, options.log
        );
        let settings = json!({
            "machine": machine,
            "version": env!("CARGO_PKG_VERSION"),
            "connections": options.connections,
            "runs": options.runs,
            "seconds": options.seconds,
            "log": options.log,
            "tokens": options.tokens,
        });
        Self {
            settings,
            rows: Vec::new(),
            failed: 0,
        }
    }

    /// Begins an engine's table.
    #[expect(clippy::unused_self, reason = "a report is printed by its methods")]
    pub fn engine(&self, engine: Engine, setting: &str) {
        println!("\n{} ({setting}); the table is Markdown", engine.name());
        println!(
            "| {:<27}| {:>9} | {:>8} | {:>5} | {:>6} | {:>6} | {:>16} | {:>7} | ceiling |",
            engine.name(),
            "ceiling/s",
            "server/s",
            "of it",
            "p50 ms",
            "p99 ms",
            "ceiling's p99 ms",
            "RSS MiB",
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---|");
    }

    /// Says what is measured now.
    #[expect(clippy::unused_self, reason = "a report is printed by its methods")]
    pub fn waiting(&self, row: Row) {
        print!("| {:<27}", row.titles().0);
        let _ = stdout().flush();
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
                println!(
                    "| {:>9} | {:>8} | {:>4.0}% | {:>6} | {:>6} | {:>16} | {:>7} | {what}{} |",
                    rate(ceiling.rate),
                    rate(server.rate),
                    ratio * 100.0,
                    time(server.p50),
                    time(server.p99),
                    time(ceiling.p99),
                    server.resident,
                    noise(&pair),
                );
                shown["ratio"] = json!(ratio);
                shown["ceiling"] = ceiling.json(&pair.ceiling);
                shown["server"] = server.json(&pair.server);
            }
            Err(failed) => {
                self.failed += 1;
                println!("| FAILED: {failed}");
                shown["failed"] = json!(failed.to_string());
            }
        }
        self.rows.push(shown);
    }

    /// Whether no row failed.
    pub const fn all_passed(&self) -> bool {
        self.failed == 0
    }

    /// Writes everything as JSON.
    pub fn write(&self, file: &Path) -> Result<(), Failed> {
        let all = json!({ "settings": self.settings, "rows": self.rows });
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
    resident: u64,
}

impl Summary {
    fn of(runs: &[Seen]) -> Self {
        let of = |value: fn(&Seen) -> f64| median(runs.iter().map(value).collect());
        Self {
            rate: of(|seen| seen.run.rate),
            p50: of(|seen| seen.run.p50),
            p99: of(|seen| seen.run.p99),
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
fn noise(pair: &Pair) -> String {
    let runs = || pair.ceiling.iter().chain(&pair.server);
    let others = runs().map(|seen| seen.others).fold(0.0, f64::max);
    if others > machine::NOISE {
        format!(
            "; NOISY: others had up to {:.0}% of the processors",
            others * 100.0
        )
    } else if runs().any(|seen| !seen.quiet) {
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
