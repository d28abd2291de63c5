//! How many requests a second one core of the server answers, each figure beside a ceiling of the
//! same shape: a bare server that does only what cannot be left out, measured in the same run.
//!
//! The server has one core, the load (and `PostgreSQL`) the other. Ceiling and server take turns,
//! and each run waits until the machine is quiet. `docs/performance.md` explains the figures.

#![expect(
    clippy::disallowed_methods,
    reason = "a load generator measures by the machine's clock"
)]

mod arena;
mod ceiling;
mod drive;
mod growth;
mod install;
mod machine;
mod peers;
mod postgres;
mod process;
mod report;
mod rows;
mod sign_in;
mod signed;
mod storm;
mod tls;
mod wire;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use arena::Arena;
use peers::Store;
use report::Report;
use work::Row;

/// Whatever goes wrong ends in a sentence.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// A file.
    Sqlite,
    /// Debian's server on a temporary directory, fsync on.
    Postgres,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Measures the server under load, beside ceilings of the same shape.
#[derive(Debug, Parser)]
#[command(name = "load")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
struct Options {
    /// How long one run measures, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many runs of each; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    runs: u16,
    /// How many keep-alive connections
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: u16,
    /// Only this row (may be given more than once)
    #[arg(long, value_enum)]
    only: Vec<Row>,
    /// Only this engine
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// Write everything measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's log filter; the default is what the server ships with
    #[arg(long, default_value = "info", value_name = "FILTER")]
    log: String,
    /// How many access tokens are issued before introspection is measured
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    tokens: usize,
    /// How many people there are, who can sign in
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    people: usize,
    /// How many clients there are
    #[arg(long, default_value_t = 200, value_name = "N")]
    clients: usize,
    /// How many people more there are, each with a grant, an authorization and a refresh token
    #[arg(long, default_value_t = 0, value_name = "N")]
    grants: usize,
    /// Write the tables to this file, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Measure npm's oidc-provider, too (`npm ci` in benches/peers first)
    #[arg(long)]
    peers: bool,
    /// Over TLS 1.3
    #[arg(long, conflicts_with = "peers")]
    tls: bool,
    /// Leave the login storm out
    #[arg(long)]
    no_storm: bool,
    /// How long to wait after the last row before memory is looked at, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    rest: u64,
    /// How long to wait for a quiet machine before each run, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u64,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the bare server that this file describes
    #[arg(long, hide = true, value_name = "FILE")]
    ceiling: Option<PathBuf>,
}

impl Options {
    fn rows(&self) -> Vec<Row> {
        let wanted = |row: &Row| self.only.is_empty() || self.only.contains(row);
        Row::value_variants()
            .iter()
            .copied()
            .filter(wanted)
            .collect()
    }

    fn engines(&self) -> Vec<Engine> {
        match self.engine {
            Some(engine) => vec![engine],
            None => vec![Engine::Sqlite, Engine::Postgres],
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.ceiling {
        Some(plan) => ceiling::run(plan).map(|()| true),
        None if !options.bench => {
            println!("load: nothing is measured by tests; run `cargo bench --bench load`");
            Ok(true)
        }
        None => process::pin_self().and_then(|()| measure(&options)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("load: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every row on every engine; false when one failed.
fn measure(options: &Options) -> Result<bool, Failed> {
    let mut report = Report::begin(options);
    for engine in options.engines() {
        let mut arena = Arena::open(engine, options)?;
        report.engine(engine, &arena.setting());
        for row in options.rows() {
            report.waiting(row.titles().0);
            let outcome = arena.row(row, options);
            report.row(engine, row, outcome);
        }
        beside(&mut report, &mut arena, engine, options);
    }
    if let Some(file) = &options.json {
        report.write(file)?;
    }
    if let Some(file) = &options.markdown {
        report.write_markdown(file)?;
    }
    Ok(report.all_passed())
}

/// What is no row: first uses, how the database grows, a login storm, memory at rest, and the peers.
fn beside(report: &mut Report, arena: &mut Arena, engine: Engine, options: &Options) {
    let wanted = |row: &Row| options.rows().contains(row);
    for (row, told) in std::mem::take(&mut arena.first_uses) {
        let name = format!("first uses, {}", row.titles().0);
        report.fact(engine, &name, Ok(told));
    }
    if wanted(&Row::ClientCredentials) {
        report.waiting("bytes per token");
        report.fact(engine, "bytes per million tokens", arena.growth(options));
    }
    let stormy = [Row::Introspection, Row::ClientCredentials];
    for row in stormy
        .into_iter()
        .filter(|row| !options.no_storm && wanted(row))
    {
        report.waiting("a login storm");
        report.fact(engine, "login storm", arena.weather(row, options));
    }
    if options.rest > 0 {
        report.waiting("memory at rest");
        report.fact(engine, "memory at rest", Ok(arena.rest(options)));
    }
    let stores = if options.peers {
        Store::beside(engine)
    } else {
        Vec::new()
    };
    for store in stores {
        let name = format!("oidc-provider, {}", store.name());
        let peer = match arena.peer(store, options) {
            Ok(peer) => peer,
            Err(failed) => {
                report.fact(engine, &name, Err(failed));
                continue;
            }
        };
        report.peer(&name);
        for row in options.rows() {
            if let Some(outcome) = arena.peer_row(&peer, row, options) {
                report.peer_row(&name, row, outcome);
            }
        }
    }
}
