//! Drives many connections at once, on one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Failed;
use crate::wire::Wire;
use crate::work::Asker;

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
}

/// Lets every asker ask on a connection of its own: first unmeasured for `warm`, then measured for
/// `time`. One answer that is not the expected one fails the run.
pub async fn run(
    askers: &mut Vec<Asker>,
    address: SocketAddr,
    (warm, time): (Duration, Duration),
) -> Result<Run, Failed> {
    let mut connections = JoinSet::new();
    let from = Instant::now() + warm;
    let window = (from, from + time);
    for asker in askers.drain(..) {
        connections.spawn(connection(asker, address, window));
    }
    let mut took = Vec::new();
    while let Some(ended) = connections.join_next().await {
        let (asker, mut more) = ended??;
        askers.push(asker);
        took.append(&mut more);
    }
    took.sort_unstable();
    if took.is_empty() {
        return Err("nothing was done within the time; measure for longer".into());
    }
    Ok(Run {
        done: took.len(),
        rate: float(took.len()) / time.as_secs_f64(),
        p50: millis(&took, 50),
        p99: millis(&took, 99),
    })
}

async fn connection(
    mut asker: Asker,
    address: SocketAddr,
    (from, until): (Instant, Instant),
) -> Result<(Asker, Vec<u32>), Failed> {
    let mut wire = Wire::connect(address).await?;
    let mut took = Vec::with_capacity(1 << 15);
    let mut begun = Instant::now();
    while begun < until {
        asker.once(&mut wire).await?;
        let now = Instant::now();
        if now >= from && now < until {
            let micros = now.duration_since(begun).as_micros();
            took.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        begun = now;
    }
    Ok((asker, took))
}

/// The percentile of sorted microseconds, in milliseconds.
fn millis(sorted: &[u32], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    f64::from(sorted[at]) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn float(count: usize) -> f64 {
    count as f64
}
