//! Where an engine is measured: the server under test, the ceiling beside it, and their databases.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::ceiling::Plan;
use crate::drive::{self, Run};
use crate::growth::Database;
use crate::install::{Installed, Place};
use crate::machine::{self, Watch};
use crate::peers::{Peer, Store};
use crate::postgres::Cluster;
use crate::process::Process;
use crate::tls::Files;
use crate::wire::Wire;
use crate::work::{self, Asker, Row};
use crate::{Engine, Failed, Options, storm};

/// How long a server may take to be ready, in seconds, and how often its events are waited for.
const PATIENCE: u32 = 300;
/// How often the server is started before it is measured; the median counts.
const STARTS: usize = 5;

/// How long after a first use it is written down at the latest.
const WRITTEN: Duration = Duration::from_secs(5);

/// An engine's server and ceiling, running. Fields end in this order.
pub struct Arena {
    server: Process,
    ceiling: Process,
    cluster: Option<Cluster>,
    place: Place,
    scratch: Scratch,
    installed: Installed,
    addresses: [SocketAddr; 2],
    database: String,
    /// How long the server took from its start to its first answer, in milliseconds.
    start: f64,
    /// What it had in memory before anybody signed in, in MiB.
    idle: u64,
    /// What the first question about each token cost, by row.
    pub first_uses: Vec<(Row, (String, Value))>,
    runtime: Runtime,
}

/// A run and what was around it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The run.
    pub run: Run,
    /// The server's resident memory after it, in MiB.
    pub resident: u64,
    /// The share of the processors that others had, 0 to 1.
    pub others: f64,
    /// Whether the machine was quiet before it.
    pub quiet: bool,
}

/// Both sides of a row.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The ceiling's runs.
    pub ceiling: Vec<Seen>,
    /// The server's runs.
    pub server: Vec<Seen>,
}

impl Arena {
    /// Sets an installation up and starts the server and the ceiling.
    pub fn open(engine: Engine, options: &Options) -> Result<Self, Failed> {
        let scratch = Scratch::make(engine)?;
        let cluster = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Cluster::start()?),
        };
        let url = |name: &str| match &cluster {
            Some(cluster) => cluster.create(name),
            None => Ok(format!("sqlite:{}", scratch.0.join(name).display())),
        };
        let database = url("countersign")?;
        let tls = options.tls.then(|| Files::write(&scratch.0)).transpose()?;
        let place = Place::make(&scratch.0, &database, &options.log, tls.as_ref())?;
        // A runtime of its own: when it ends, nothing holds the database any more.
        let filling = Runtime::new()?;
        let installed = filling.block_on(place.fill(options))?;
        if options.grants > 0 {
            eprintln!("adding {} people", options.grants);
            filling.block_on(async {
                let mut database = Database::open(&database).await?;
                database.grow(options.grants).await
            })?;
        }
        drop(filling);

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut starts = Vec::new();
        let (server, discovery) = loop {
            let (mut server, discovery, took) = runtime.block_on(start_server(&place))?;
            starts.push(took);
            if starts.len() == STARTS {
                break (server, discovery);
            }
            server.stop()?;
        };
        starts.sort_unstable();
        let start = starts[STARTS / 2].as_secs_f64() * 1000.0;
        std::thread::sleep(Duration::from_secs(2));
        let idle = machine::resident(server.id());
        let plan = Plan {
            database: url("bare")?,
            discovery,
            authorization: installed.machines[0].clone(),
            key: installed.ceiling_key,
            point: installed.point.clone(),
            tls,
        };
        let file = scratch.0.join("bare.json");
        fs::write(&file, serde_json::to_vec(&plan)?)?;
        let log = File::create(scratch.0.join("bare.log"))?;
        let arguments = ["--ceiling", &file.display().to_string()];
        let mut ceiling = Process::on_server_core(&std::env::current_exe()?, &arguments, log)?;
        let Ok(port) = ceiling.first_line()?.parse() else {
            let log = fs::read_to_string(scratch.0.join("bare.log")).unwrap_or_default();
            return Err(format!("the ceiling did not start:\n{log}").into());
        };
        Ok(Self {
            addresses: [
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                place.host.parse()?,
            ],
            server,
            ceiling,
            cluster,
            place,
            scratch,
            installed,
            database,
            start,
            idle,
            first_uses: Vec::new(),
            runtime,
        })
    }

    /// What is worth knowing about this engine here.
    pub fn setting(&self) -> String {
        let version = self
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.version().ok());
        let version = version.unwrap_or_else(|| "embedded".to_owned());
        let (start, idle) = (self.start, self.idle);
        format!("{version}; answers {start:.0} ms after its start; idle, it has {idle} MiB")
    }

    /// Measures a row: the ceiling, the server, the ceiling again, and so on.
    pub fn row(&mut self, row: Row, options: &Options) -> Result<Pair, Failed> {
        let connections = usize::from(options.connections);
        if row.has_first_uses() {
            let told = self.first_uses(row, connections)?;
            self.first_uses.push((row, told));
        }
        let mut ceiling = work::of_ceiling(row, &self.installed, connections);
        let mut server = work::of_server(row, &self.installed, connections);
        let mut pair = Pair {
            ceiling: Vec::new(),
            server: Vec::new(),
        };
        for _ in 0..options.runs {
            pair.ceiling.push(self.run(row, &mut ceiling, 0, options)?);
            pair.server.push(self.run(row, &mut server, 1, options)?);
        }
        self.installed.take_back(row, server);
        Ok(pair)
    }

    /// Asks about every token once: what is written down then is not written again, so the row shows what
    /// all further questions cost, and this what the first ones do.
    fn first_uses(&self, row: Row, connections: usize) -> Result<(String, Value), Failed> {
        let askers = work::of_server(row, &self.installed, connections);
        let askers: Vec<_> = askers.into_iter().map(Arc::new).collect();
        self.sealed(async |_| Ok(()))?;
        let (address, pid) = (self.addresses[1], self.server.id());
        let before = machine::on_processor(pid);
        let (count, took) = self.load(drive::each(&askers, address))?;
        // Noted in memory, and written soon: then the log shows when all are sealed.
        std::thread::sleep(WRITTEN);
        self.sealed(async |_| Ok(()))?;
        let each = u32::try_from(count)?.max(1);
        let cpu = (machine::on_processor(pid).saturating_sub(before) / each).as_secs_f64() * 1e6;
        let rate = f64::from(each) / took.as_secs_f64();
        let sentence = format!(
            "The first question about each of {count} tokens, which is written down: {rate:.0} a second, \
             {cpu:.1} µs of processor each with all that is written."
        );
        Ok((sentence, json!({ "per_second": rate, "cpu_us": cpu })))
    }

    fn run(
        &self,
        row: Row,
        askers: &mut Vec<Asker>,
        side: usize,
        options: &Options,
    ) -> Result<Seen, Failed> {
        let process = [&self.ceiling, &self.server][side];
        let asked = (self.addresses[side], process.id());
        self.run_on(row, askers, asked, options)
    }

    /// Loads somebody. Who waits for an answer must be woken, which costs the one who answers
    /// microseconds where processors are virtual, and nothing where the two are apart; so the
    /// generator sleeps only where it shares its processor with the database.
    fn load<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            let awake = self.cluster.is_none().then(|| tokio::spawn(stay_awake()));
            let done = work.await;
            awake.inspect(JoinHandle::abort);
            done
        })
    }

    fn run_on(
        &self,
        row: Row,
        askers: &mut Vec<Asker>,
        asked: (SocketAddr, u32),
        options: &Options,
    ) -> Result<Seen, Failed> {
        self.scratch.empty_log()?;
        self.sealed(async |_| Ok(()))?;
        let quiet = machine::wait_until_quiet(Duration::from_secs(options.patience));
        let (warm, time) = (
            Duration::from_millis(row.warm()),
            Duration::from_secs(options.seconds),
        );
        let watch = Watch::begin();
        let run = self.load(drive::run(askers, asked, (warm, time)));
        let others = watch.others();
        Ok(Seen {
            run: run?,
            resident: machine::resident(asked.1),
            others,
            quiet,
        })
    }
}

/// What is no row.
impl Arena {
    /// How many bytes the database grows by for a million tokens that are issued.
    pub fn growth(&mut self, options: &Options) -> Result<(String, Value), Failed> {
        let connections = usize::from(options.connections);
        let row = Row::ClientCredentials;
        let mut askers = work::of_server(row, &self.installed, connections);
        let before = self.size()?;
        let run = self.run(row, &mut askers, 1, options)?.run;
        let grown = self.size()? - before;
        let each = i64::try_from(run.asked)?;
        let million = grown * 1_000_000 / each.max(1);
        let sentence = format!(
            "A million tokens make the database {} MiB larger: their audit events, sealed ({each} \
             tokens, {grown} bytes).",
            million >> 20
        );
        Ok((sentence, json!(million)))
    }

    /// The size of the database when every event is sealed.
    fn size(&self) -> Result<i64, Failed> {
        self.sealed(async |database| database.size().await)
    }

    /// Waits until every event is sealed, so that no run pays for what came before it; then looks at
    /// the database.
    fn sealed<T>(
        &self,
        look: impl AsyncFnOnce(&mut Database) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.runtime.block_on(async {
            let mut database = Database::open(&self.database).await?;
            for _ in 0..PATIENCE {
                if database.unsealed().await? == 0 {
                    return look(&mut database).await;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err("the events are not sealed within a minute".into())
        })
    }

    /// A row at four connections, in quiet and in a login storm.
    pub fn weather(&mut self, row: Row, options: &Options) -> Result<(String, Value), Failed> {
        let mut askers = work::of_server(row, &self.installed, 4);
        let times = (Duration::from_secs(1), Duration::from_secs(options.seconds));
        let asked = (self.addresses[1], self.server.id());
        self.sealed(async |_| Ok(()))?;
        machine::wait_until_quiet(Duration::from_secs(options.patience));
        let quiet = self.load(drive::run(&mut askers, asked, times))?;
        let before = machine::resident(self.server.id());
        let host = &self.place.host;
        let stormy = storm::run(&mut askers, asked, host, times);
        let (stormy, attempts) = self.load(stormy)?;
        let after = machine::resident(self.server.id());
        let times = stormy.p99 / quiet.p99;
        let sentence = format!(
            "{} at 4 connections: {:.0}/s, p99 {:.2} ms in quiet; {:.0}/s, p99 {:.2} ms ({times:.1} \
             times) with {} wrong passwords a second. Of these {} were answered, {} told to come again \
             (503 with Retry-After), {} neither; p99 {:.0} ms. Memory: {before} MiB before, {after} MiB \
             after.",
            row.titles().0,
            quiet.rate,
            quiet.p99,
            stormy.rate,
            stormy.p99,
            storm::RATE,
            attempts.answered,
            attempts.busy,
            attempts.other,
            attempts.p99,
        );
        let value = json!({
            "row": row.titles().0,
            "quiet": { "per_second": quiet.rate, "p99_ms": quiet.p99 },
            "storm": { "per_second": stormy.rate, "p99_ms": stormy.p99 },
            "times": times,
            "answered": attempts.answered,
            "busy": attempts.busy,
            "other": attempts.other,
            "example": attempts.example,
            "attempts_p99_ms": attempts.p99,
            "resident_mib": [before, after],
        });
        if attempts.other > 0 {
            return Err(format!("{sentence} One of the others: {}", attempts.example).into());
        }
        Ok((sentence, value))
    }

    /// What the server has in memory when nobody has asked for a while.
    pub fn rest(&self, options: &Options) -> (String, Value) {
        std::thread::sleep(Duration::from_secs(options.rest));
        let resident = machine::resident(self.server.id());
        let seconds = options.rest;
        (
            format!("{seconds} s after the last request the server has {resident} MiB."),
            json!(resident),
        )
    }

    /// Starts a peer.
    pub fn peer(&self, store: Store, options: &Options) -> Result<Peer, Failed> {
        let place = match (store, &self.cluster) {
            (Store::Memory, _) => String::new(),
            (Store::Engine(_), Some(cluster)) => cluster.create_for_peer("peer")?,
            (Store::Engine(_), None) => self.scratch.0.join("peer").display().to_string(),
        };
        Peer::start(store, &place, &self.scratch.0, options.tokens)
    }

    /// Measures a row of a peer; `None` for what it does not do.
    pub fn peer_row(
        &self,
        peer: &Peer,
        row: Row,
        options: &Options,
    ) -> Option<Result<Vec<Seen>, Failed>> {
        let mut askers = peer.askers(row, usize::from(options.connections))?;
        let runs = (0..options.runs).map(|_| self.run_on(row, &mut askers, peer.asked(), options));
        Some(runs.collect())
    }
}

impl Installed {
    /// Rotated tokens replace those that were spent.
    fn take_back(&mut self, row: Row, askers: Vec<Asker>) {
        if row != Row::RefreshRotation {
            return;
        }
        let tokens = askers.into_iter().flat_map(|asker| match asker {
            Asker::Rotating { tokens, .. } => tokens,
            _ => Vec::new(),
        });
        self.rotating = tokens.collect();
    }
}

/// Starts the server as it is shipped, and waits until it answers; gives its discovery document, and
/// how long that took.
async fn start_server(place: &Place) -> Result<(Process, String, Duration), Failed> {
    let log = place.directory.join("server.log");
    let file = File::options().create(true).append(true).open(&log)?;
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let settings = place.settings.display().to_string();
    let begun = Instant::now();
    let mut server = Process::on_server_core(program, &["--config", &settings, "serve"], file)?;
    while begun.elapsed() < Duration::from_secs(PATIENCE.into()) {
        if let Ok(document) = discovery(&place.host).await {
            return Ok((server, document, begun.elapsed()));
        }
        if server.has_ended() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    Err(format!("the server did not start:\n{log}").into())
}

async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn discovery(host: &str) -> Result<String, Failed> {
    let mut wire = Wire::connect(host.parse()?).await?;
    let path = "/.well-known/openid-configuration";
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let answer = wire.ask(request.as_bytes()).await?.expect(200)?;
    Ok(String::from_utf8(answer.body.to_vec())?)
}

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(engine: Engine) -> Result<Self, Failed> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let name = format!("load-{}-{}", std::process::id(), engine.name());
        let directory = target.join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    /// A line a request adds up.
    fn empty_log(&self) -> Result<(), Failed> {
        let log = File::options()
            .write(true)
            .open(self.0.join("server.log"))?;
        Ok(log.set_len(0)?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
