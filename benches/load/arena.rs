//! Where an engine is measured: the server under test, the ceiling beside it, and their databases.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::ceiling::Plan;
use crate::drive::{self, Run};
use crate::install::{Installed, Place};
use crate::machine::{self, Watch};
use crate::postgres::Cluster;
use crate::process::Process;
use crate::wire::Wire;
use crate::work::{self, Asker, Row};
use crate::{Engine, Failed, Options};

/// How long a server may take to be ready, in tenths of a second.
const PATIENCE: u32 = 300;

/// An engine's server and ceiling, running. Fields end in this order.
pub struct Arena {
    server: Process,
    ceiling: Process,
    cluster: Option<Cluster>,
    _place: Place,
    scratch: Scratch,
    installed: Installed,
    addresses: [SocketAddr; 2],
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
        let place = Place::make(&scratch.0, &url("countersign")?, &options.log)?;
        // A runtime of its own: when it ends, nothing holds the database any more.
        let filling = Runtime::new()?;
        let installed = filling.block_on(place.fill(options))?;
        drop(filling);

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (server, discovery) = runtime.block_on(start_server(&place))?;
        let plan = Plan {
            database: url("bare")?,
            discovery,
            authorization: installed.machine.clone(),
            key: installed.ceiling_key,
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
            _place: place,
            scratch,
            installed,
            runtime,
        })
    }

    /// What is worth knowing about this engine here.
    pub fn setting(&self) -> String {
        let version = self
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.version().ok());
        let idle = machine::resident(self.server.id());
        match version {
            Some(version) => format!("{version}; the idle server has {idle} MiB"),
            None => format!("embedded; the idle server has {idle} MiB"),
        }
    }

    /// Measures a row: the ceiling, the server, the ceiling again, and so on.
    pub fn row(&mut self, row: Row, options: &Options) -> Result<Pair, Failed> {
        let connections = usize::from(options.connections);
        let mut ceiling = work::of_ceiling(row, &self.installed, connections);
        let mut server = work::of_server(row, &mut self.installed, connections);
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

    fn run(
        &self,
        row: Row,
        askers: &mut Vec<Asker>,
        side: usize,
        options: &Options,
    ) -> Result<Seen, Failed> {
        self.scratch.empty_log()?;
        let quiet = machine::wait_until_quiet(Duration::from_secs(options.patience));
        let (warm, time) = (
            Duration::from_millis(row.warm()),
            Duration::from_secs(options.seconds),
        );
        let watch = Watch::begin();
        let address = self.addresses[side];
        let run = self
            .runtime
            .block_on(drive::run(askers, address, (warm, time)));
        let others = watch.others();
        let process = [&self.ceiling, &self.server][side];
        Ok(Seen {
            run: run?,
            resident: machine::resident(process.id()),
            others,
            quiet,
        })
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

/// Starts the server as it is shipped, and waits until it answers; gives its discovery document.
async fn start_server(place: &Place) -> Result<(Process, String), Failed> {
    let log = place.directory.join("server.log");
    let file = File::options().create(true).append(true).open(&log)?;
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let settings = place.settings.display().to_string();
    let mut server = Process::on_server_core(program, &["--config", &settings, "serve"], file)?;
    for _ in 0..PATIENCE {
        if let Ok(document) = discovery(&place.host).await {
            return Ok((server, document));
        }
        if server.has_ended() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    Err(format!("the server did not start:\n{log}").into())
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
