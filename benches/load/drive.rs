//! Drives many connections at once, on one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::wire::Wire;
use crate::work::Asker;
use crate::{Failed, machine};

/// What one run showed.
#[derive(Clone, Debug)]
pub struct Run {
    /// How many were done within the time.
    pub done: usize,
    /// A second.
    pub rate: f64,
    /// The median time of one, in milliseconds.
    pub p50: f64,
    /// The time that 99 of 100 stayed below, in milliseconds.
    pub p99: f64,
    /// How long the server was on its processor for each, in microseconds.
    pub cpu: f64,
    /// How many were asked in all, those before and after the measured time too.
    pub asked: usize,
}

/// Lets every asker ask on a connection of its own: first unmeasured for `warm`, then measured for
/// `time`. One answer that is not the expected one fails the run.
pub async fn run(
    askers: &mut Vec<Asker>,
    (address, pid): (SocketAddr, u32),
    (warm, time): (Duration, Duration),
) -> Result<Run, Failed> {
    let mut connections = JoinSet::new();
    let from = Instant::now() + warm;
    let window = (from, from + time);
    let watched = tokio::spawn(on_processor(pid, window));
    for asker in askers.drain(..) {
        connections.spawn(connection(asker, address, window));
    }
    let (mut took, mut asked) = (Vec::new(), 0);
    while let Some(ended) = connections.join_next().await {
        let (free, mut more, all) = ended??;
        askers.push(free);
        took.append(&mut more);
        asked += all;
    }
    let cpu = watched.await?;
    took.sort_unstable();
    if took.is_empty() {
        return Err("nothing was done within the time; measure for longer".into());
    }
    Ok(Run {
        done: took.len(),
        rate: float(took.len()) / time.as_secs_f64(),
        p50: millis(&took, 50),
        p99: millis(&took, 99),
        cpu: cpu.as_secs_f64() * 1e6 / float(took.len()),
        asked,
    })
}

/// Asks for everything that the askers may ask for once; how many that were, and how long it took.
pub async fn each(askers: &[Arc<Asker>], address: SocketAddr) -> Result<(usize, Duration), Failed> {
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    for (first, asker) in askers.iter().enumerate() {
        let (asker, step) = (Arc::clone(asker), askers.len());
        connections.spawn(async move {
            let mut wire = Wire::connect(address).await?;
            asker.each(&mut wire, first, step).await
        });
    }
    let mut count = 0;
    while let Some(ended) = connections.join_next().await {
        count += ended??;
    }
    Ok((count, begun.elapsed()))
}

/// How long a process was on its processor within a window.
async fn on_processor(pid: u32, (from, until): (Instant, Instant)) -> Duration {
    tokio::time::sleep_until(from.into()).await;
    let before = machine::on_processor(pid);
    tokio::time::sleep_until(until.into()).await;
    machine::on_processor(pid).saturating_sub(before)
}

async fn connection(
    mut asker: Asker,
    address: SocketAddr,
    (from, until): (Instant, Instant),
) -> Result<(Asker, Vec<u32>, usize), Failed> {
    let mut wire = Wire::connect(address).await?;
    let mut took = Vec::with_capacity(1 << 15);
    let mut begun = Instant::now();
    let mut count = 0;
    while begun < until {
        asker.once(&mut wire).await?;
        count += 1;
        let now = Instant::now();
        if now >= from && now < until {
            let micros = now.duration_since(begun).as_micros();
            took.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        begun = now;
    }
    Ok((asker, took, count))
}

/// The percentile of sorted microseconds, in milliseconds.
pub fn millis(sorted: &[u32], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    f64::from(sorted[at]) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn float(count: usize) -> f64 {
    count as f64
}
