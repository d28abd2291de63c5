//! The disk takes nothing more, or fails. `SQLite` only: PostgreSQL's disk is PostgreSQL's, and what
//! it says of that is a failed statement like any other.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::served::{Served, is_fault, signal};
use crate::support::Engine;

/// What works and what does not while nothing can be written, and that all of it works afterwards.
async fn survives(
    served: &mut Served,
    begin: impl AsyncFnOnce(&Served),
    end: impl AsyncFnOnce(&Served),
) {
    let alive = served.good_token().await;
    let ended = served.good_token().await;
    assert_eq!(served.revoke(&ended).await.unwrap().status, 200);
    let refresh = served.refresh[0].clone();
    begin(&*served).await;
    for _ in 0..3 {
        is_fault(&served.token().await.unwrap());
        is_fault(&served.refresh(&refresh).await.unwrap());
    }
    let doubtful = alive.clone();
    is_fault(&served.revoke(&doubtful).await.unwrap());
    // What needs no writing is answered, and right.
    assert!(!served.sees(&ended).await);
    assert_eq!(served.get("/healthz").await.unwrap().status, 200);
    assert!(
        served.sees(&alive).await,
        "a revocation that failed did half"
    );
    end(&*served).await;
    let again = served.refresh(&refresh).await.unwrap().ok();
    assert!(again["refresh_token"].is_string(), "nothing was spent");
    assert!(served.sees(&served.good_token().await).await);
    assert_eq!(served.revoke(&alive).await.unwrap().status, 200);
    assert!(!served.sees(&alive).await);
    assert!(!served.sees(&ended).await);
    served.kill();
    served.start().await;
    assert!(!served.sees(&alive).await && !served.sees(&ended).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_answered_with_503_and_heals_by_itself() {
    let mut served = Served::prepare(Engine::Sqlite, 1).await;
    // Like a disk that is full: files may not grow any more, for this process alone.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .arg("--config")
        .arg(served.settings())
        .arg("serve");
    served.start_as(command).await;
    survives(
        &mut served,
        async |served| file_size(served.process(), "0"),
        async |served| file_size(served.process(), "unlimited"),
    )
    .await;
}

/// Sets the soft limit of a process: how large a file it may write.
fn file_size(process: u32, limit: &str) {
    let set = Command::new("prlimit")
        .arg(format!("--pid={process}"))
        .arg(format!("--fsize={limit}:"))
        .status()
        .unwrap();
    assert!(set.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_system_without_space_is_answered_with_503_and_heals_by_itself() {
    let mut served = Served::prepare(Engine::Sqlite, 1).await;
    let Some(disk) = Mounted::over(&served, "size=8m") else {
        return;
    };
    served.start().await;
    let filler = disk.0.join("filler");
    fill(&filler);
    // The log may have room for some more.
    let mut given = Vec::new();
    let mut refused = 0;
    for _ in 0..2000 {
        let reply = served.token().await.unwrap();
        if reply.status == 200 {
            given.push(reply.text("access_token").to_owned());
        } else {
            is_fault(&reply);
            refused += 1;
        }
        if refused > 20 {
            break;
        }
        fill(&filler);
    }
    assert!(refused > 20, "the disk was never full");
    std::fs::remove_file(&filler).unwrap();
    given.push(served.good_token().await);
    served.kill();
    served.start().await;
    for token in &given {
        assert!(served.sees(token).await, "an acknowledged token is lost");
    }
    let refresh = served.refresh[0].clone();
    served.refresh(&refresh).await.unwrap().ok();
}

/// To the last byte.
fn fill(filler: &Path) {
    let mut bytes = 1 << 20;
    while bytes > 0 {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(filler);
        let written = file.and_then(|mut file| file.write_all(&vec![0; bytes]));
        if written.is_err() {
            bytes /= 2;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_whose_sync_fails_acknowledges_nothing() {
    faulty("fdatasync,fsync:error=EIO").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_became_read_only_is_answered_with_503_and_heals_by_itself() {
    faulty("pwrite64:error=EROFS").await;
}

/// The kernel answers some calls with an error, as long as `strace` is attached.
async fn faulty(inject: &str) {
    let mut served = Served::prepare(Engine::Sqlite, 1).await;
    served.start().await;
    if !can_attach(served.process()) {
        println!("not tested: this account may not attach strace to its own processes");
        return;
    }
    let tracer = std::sync::Mutex::new(None);
    survives(
        &mut served,
        async |served| {
            let attached = attach(served.process(), inject);
            *tracer.lock().unwrap() = Some(attached);
            // It is there when the first call fails.
            for _ in 0..400 {
                if served.token().await.unwrap().status == 503 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("strace does not take effect");
        },
        async |_| {
            let mut attached: Child = tracer.lock().unwrap().take().unwrap();
            // It lets go of the process, which goes on.
            signal(attached.id(), "-TERM");
            attached.wait().unwrap();
        },
    )
    .await;
}

fn attach(process: u32, inject: &str) -> Child {
    let calls = inject.split(':').next().unwrap();
    Command::new("strace")
        .args(["-f", "-e", "signal=none", "-e"])
        .arg(format!("trace={calls}"))
        .arg("-e")
        .arg(format!("inject={inject}"))
        .args(["-o", "/dev/null", "-p", &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether one process may look into another of the same account: it depends on the machine.
fn can_attach(process: u32) -> bool {
    let mut probe = attach(process, "pwrite64:error=EIO:when=1000000");
    std::thread::sleep(Duration::from_millis(300));
    if probe.try_wait().unwrap().is_some() {
        return false;
    }
    signal(probe.id(), "-TERM");
    probe.wait().unwrap();
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_file_system_is_named_at_the_start() {
    let served = Served::prepare(Engine::Sqlite, 0).await;
    let Some(disk) = Mounted::over(&served, "size=64m") else {
        return;
    };
    disk.remount("ro");
    let (well, said) = tokio::task::block_in_place(|| served.ends());
    assert!(!well);
    assert!(
        said.contains("database.url") && said.to_lowercase().contains("read-only"),
        "{said}"
    );
}

/// A small file system in memory over the server's folder, with the same files in it; it needs the
/// right to mount.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn over(served: &Served, options: &str) -> Option<Self> {
        let folder = served.left.directory.path();
        let files: Vec<(std::path::PathBuf, Vec<u8>)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect();
        let mounted = mount(&["-t", "tmpfs", "-o", options, "tmpfs"], folder);
        if !mounted {
            println!("not tested: this account may not mount a file system");
            return None;
        }
        for (path, bytes) in files {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Some(Self(folder.to_owned()))
    }

    fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a server may still be at it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(options: &[&str], folder: &Path) -> bool {
    Command::new("mount")
        .args(options)
        .arg(folder)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
