//! No answer leaves before the disk has what it acknowledges: watched from outside, by `strace`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::served::Served;
use crate::support::Engine;

/// How many requests of each kind are watched.
const REQUESTS: usize = 12;

/// What the kernel was asked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Bytes were handed to the write-ahead log.
    Wrote,
    /// The log was synced; everything handed over before is on the disk.
    Synced,
    /// An answer with a good status begins to leave.
    Answered,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_acknowledgement_comes_after_fdatasync_of_the_log() {
    let mut served = Served::prepare(Engine::Sqlite, 1).await;
    let trace = served.left.directory.path().join("trace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "16", "-e", "signal=none", "-e"])
        .arg("trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg")
        .arg("-o")
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .arg("--config")
        .arg(served.settings())
        .arg("serve");
    served.start_as(command).await;
    // The first writes an authorization, too.
    let first = served.good_token().await;
    let mut refresh = served.refresh[0].clone();
    // One answer said that it is ready.
    let begun = settled(&trace, 2).await;
    let mut writing = 0;
    for _ in 0..REQUESTS {
        let token = served.good_token().await;
        assert_eq!(served.revoke(&token).await.unwrap().status, 200);
        let refreshed = served.refresh(&refresh).await.unwrap().ok();
        refresh = refreshed["refresh_token"].as_str().unwrap().to_owned();
        writing += 3;
    }
    let middle = settled(&trace, 2 + writing).await;
    for _ in 0..REQUESTS {
        served.introspect(&first).await.unwrap().ok();
    }
    settled(&trace, 2 + writing + REQUESTS).await;
    served.stop();
    let text = std::fs::read_to_string(&trace).unwrap();
    let seen = read(text.lines().skip(begun).take(middle - begun));
    let answers = seen.iter().filter(|what| **what == Seen::Answered).count();
    assert_eq!(answers, writing);
    for (n, request) in seen.split(|what| *what == Seen::Answered).enumerate() {
        if n == answers {
            break; // What came after the last answer.
        }
        let written = request.iter().position(|what| *what == Seen::Wrote);
        let synced = request.iter().rposition(|what| *what == Seen::Synced);
        assert!(
            written.is_some() && synced > written,
            "answer {n} left without a sync: {request:?}"
        );
    }
    // The proof that the test could fail: what writes nothing waits for no disk.
    let seen = read(text.lines().skip(middle));
    let idle = seen
        .split(|what| *what == Seen::Answered)
        .filter(|request| !request.contains(&Seen::Synced))
        .count();
    assert!(idle >= REQUESTS / 2, "{seen:?}");
}

/// How many lines there are when so many answers have been written down.
async fn settled(trace: &Path, answers: usize) -> usize {
    for _ in 0..1000 {
        let text = std::fs::read_to_string(trace).unwrap();
        let seen = read(text.lines());
        if seen.iter().filter(|what| **what == Seen::Answered).count() >= answers {
            return text.lines().count();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("strace does not see {answers} answers");
}

/// Reads the lines of `strace -f -y`: `123 pwrite64(9</…/countersign.db-wal>, …) = 24`. A call that
/// another thread's interrupts stands on two lines; a sync counts when it ends, all else when it
/// begins.
fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut syncing: HashMap<&str, bool> = HashMap::new();
    for line in lines {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let log = call.contains("countersign.db-wal>");
        let sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        if sync && log {
            if call.contains("<unfinished") {
                syncing.insert(thread, true);
            } else if call.ends_with("= 0") {
                seen.push(Seen::Synced);
            }
        } else if call.starts_with("<... fdatasync resumed")
            || call.starts_with("<... fsync resumed")
        {
            if syncing.remove(thread).is_some() && call.ends_with("= 0") {
                seen.push(Seen::Synced);
            }
        } else if call.starts_with("pwrite64(") && log {
            seen.push(Seen::Wrote);
        } else if call.contains("\"HTTP/1.1 2") {
            seen.push(Seen::Answered);
        }
    }
    seen
}

#[test]
fn a_trace_is_read_in_the_order_in_which_things_were_done() {
    let trace = r#"11 pwrite64(9</x/countersign.db-wal>, "7"..., 24, 32) = 24
11 fdatasync(9</x/countersign.db-wal> <unfinished ...>
12 writev(14<TCP:[1->2]>, [{iov_base="HTTP/1.1 200 OK\r"..., iov_len=300}], 1) = 300
11 <... fdatasync resumed>)     = 0
11 pwrite64(10</x/countersign.db>, "7"..., 4096, 0) = 4096
12 fdatasync(9</x/countersign.db-wal>) = -1 EIO (Input/output error)"#;
    assert_eq!(
        read(trace.lines()),
        [Seen::Wrote, Seen::Answered, Seen::Synced]
    );
}
