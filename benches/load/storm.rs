//! A login storm: people's passwords are guessed, so many a second whatever comes of them, while
//! APIs and apps go on asking.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet, LocalSet};

use crate::Failed;
use crate::drive::{self, Run};
use crate::tls;
use crate::wire::Wire;
use crate::work::{Asker, compose, post};

/// Attempts a second.
pub const RATE: u32 = 200;

/// What came of the attempts.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// How many were told that they were wrong.
    pub answered: usize,
    /// How many were told to come again: 503 with `Retry-After`.
    pub busy: usize,
    /// Anything else.
    pub other: usize,
    /// What the first of those was.
    pub example: String,
    /// The time that 99 of 100 answers stayed below, in milliseconds.
    pub p99: f64,
}

/// Lets `askers` ask for `time` while the storm blows.
pub async fn run(
    askers: &mut Vec<Asker>,
    asked: (SocketAddr, u32),
    host: &str,
    times: (Duration, Duration),
) -> Result<(Run, Attempts), Failed> {
    let local = LocalSet::new();
    let storm = Storm::new(asked.0, host);
    let seen = Rc::clone(&storm.seen);
    let blowing: JoinHandle<()> = local.spawn_local(storm.blow(times.0 + times.1));
    let run = local.run_until(drive::run(askers, asked, times)).await?;
    local.run_until(blowing).await?;
    let mut seen = seen.take();
    seen.took.sort_unstable();
    let mut attempts = seen.attempts;
    if !seen.took.is_empty() {
        attempts.p99 = drive::millis(&seen.took, 99);
    }
    Ok((run, attempts))
}

#[derive(Default)]
struct Seen {
    attempts: Attempts,
    took: Vec<u32>,
    idle: Vec<Wire>,
}

struct Storm {
    address: SocketAddr,
    head: String,
    seen: Rc<RefCell<Seen>>,
}

impl Storm {
    fn new(address: SocketAddr, host: &str) -> Self {
        let head = post("/sign-in", host, None);
        let head = format!("{head}origin: {}://{host}\r\n", tls::scheme());
        Self {
            address,
            head,
            seen: Rc::default(),
        }
    }

    async fn blow(self, time: Duration) {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
        let until = Instant::now() + time;
        let mut attempts = JoinSet::new();
        let mut n = 0_u32;
        while Instant::now() < until {
            tick.tick().await;
            n += 1;
            let form = format!(
                "username=person{}&password=a+wrong+guess+{n}&code=123456",
                n % 997
            );
            let mut request = Vec::new();
            compose(&mut request, &self.head, &[&form]);
            attempts.spawn_local(attempt(self.address, request, Rc::clone(&self.seen)));
        }
        while attempts.join_next().await.is_some() {}
    }
}

async fn attempt(address: SocketAddr, request: Vec<u8>, seen: Rc<RefCell<Seen>>) {
    let begun = Instant::now();
    let idle = seen.borrow_mut().idle.pop();
    let wire = match idle {
        Some(wire) => Ok(wire),
        None => Wire::connect(address).await,
    };
    let outcome = match wire {
        Ok(mut wire) => ask(&mut wire, &request).await.map(|told| (wire, told)),
        Err(failed) => Err(failed),
    };
    let mut seen = seen.borrow_mut();
    let micros = begun.elapsed().as_micros();
    seen.took.push(u32::try_from(micros).unwrap_or(u32::MAX));
    match outcome {
        Ok((wire, told)) => {
            seen.idle.push(wire);
            match told {
                Told::Wrong => seen.attempts.answered += 1,
                Told::Busy => seen.attempts.busy += 1,
                Told::Other(what) => {
                    seen.attempts.other += 1;
                    seen.attempts.example = what;
                }
            }
        }
        Err(failed) => {
            seen.attempts.other += 1;
            seen.attempts.example = failed.to_string();
        }
    }
}

enum Told {
    Wrong,
    Busy,
    Other(String),
}

async fn ask(wire: &mut Wire, request: &[u8]) -> Result<Told, Failed> {
    let answer = wire.ask(request).await?;
    Ok(match answer.status {
        200 | 400 | 401 | 403 | 422 => Told::Wrong,
        503 if answer.headers("retry-after").next().is_some() => Told::Busy,
        other => Told::Other(format!("status {other}")),
    })
}
