//! The machine: what it is, whether it is quiet, and what others did to it during a run.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long one look at the processors takes.
const LOOK: Duration = Duration::from_secs(1);
/// A machine whose processors idle for at least this share is quiet.
const IDLE: f64 = 0.9;
/// A run during which others had more than this share of the processors is noisy.
pub const NOISE: f64 = 0.05;

/// Processor time so far, in clock ticks: all of it, what was idle, what programs had, and what the
/// hypervisor took.
#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    all: u64,
    idle: u64,
    programs: u64,
    stolen: u64,
}

impl Ticks {
    fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        // user nice system idle iowait irq softirq steal
        let field = |n: usize| fields.get(n).copied().unwrap_or(0);
        Self {
            all: (0..8).map(field).sum(),
            idle: field(3) + field(4),
            programs: field(0) + field(1),
            stolen: field(7),
        }
    }
}

/// Waits until the processors idle; false when they did not within `patience`.
pub fn wait_until_quiet(patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        let before = Ticks::now();
        thread::sleep(LOOK);
        let after = Ticks::now();
        let idle = share(after.idle - before.idle, after.all - before.all);
        if idle >= IDLE {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
    }
}

/// Watches what programs that are not ours do during a run.
pub struct Watch {
    ticks: Ticks,
    own: u64,
}

impl Watch {
    /// From now on.
    pub fn begin() -> Self {
        Self {
            ticks: Ticks::now(),
            own: own_ticks(),
        }
    }

    /// The share of all processors that others had since, 0 to 1.
    pub fn others(&self) -> f64 {
        let now = Ticks::now();
        let programs = (now.programs - self.ticks.programs)
            .saturating_sub(own_ticks().saturating_sub(self.own));
        let stolen = now.stolen - self.ticks.stolen;
        share(programs + stolen, now.all - self.ticks.all)
    }
}

/// What this process and its descendants had, outside the kernel.
fn own_ticks() -> u64 {
    let mut parents = HashMap::new();
    let mut used = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold anything; what follows the last one is regular:
        // state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let field = |n: usize| rest.split_ascii_whitespace().nth(n);
        let number = |n| {
            field(n)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        parents.insert(pid, u32::try_from(number(1)).unwrap_or(0));
        used.insert(pid, number(11));
    }
    let me = std::process::id();
    let is_own = |pid: u32| {
        let mut pid = pid;
        while pid != me {
            match parents.get(&pid) {
                Some(parent) if *parent > 1 => pid = *parent,
                _ => return false,
            }
        }
        true
    };
    let own = used.iter().filter(|(pid, _)| is_own(**pid));
    own.map(|(_, ticks)| ticks).sum()
}

/// How long a process was on a processor so far, all its threads together.
pub fn on_processor(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let nanos = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| {
            // Nanoseconds on a processor, nanoseconds waiting for one, turns.
            let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            stat.split_ascii_whitespace().next()?.parse::<u64>().ok()
        });
    Duration::from_nanos(nanos.sum())
}

/// The resident memory of a process, in MiB.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// How many processors this process may use.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name, how many there are, and the kernel.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} × {model}, Linux {}", kernel.trim())
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
