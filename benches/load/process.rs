//! Processes, each on the processor it belongs to.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::{Failed, machine};

/// The processor of the server under test, and of the ceiling.
const SERVER: &str = "0";
/// The processor of everything else.
const LOAD: &str = "1";
/// Says that this process is where it belongs.
const PINNED: &str = "COUNTERSIGN_BENCH_PINNED";

/// Begins anew on the processor of the load; returns when that is done, or cannot be.
pub fn pin_self() -> Result<(), Failed> {
    if std::env::var_os(PINNED).is_some() {
        return Ok(());
    }
    if machine::processors() < 2 {
        eprintln!("load: one processor only: server and load share it, the figures mean little");
        return Ok(());
    }
    let error = Command::new("taskset")
        .args(["-c", LOAD])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(PINNED, "1")
        .exec();
    // `exec` comes back only when it failed.
    eprintln!("load: taskset does not run ({error}): nothing is pinned, the figures mean little");
    Ok(())
}

/// A process of ours; it ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program on the server's processor, what it complains about going to `log`.
    pub fn on_server_core(program: &Path, arguments: &[&str], log: File) -> Result<Self, Failed> {
        let mut command = if std::env::var_os(PINNED).is_some() {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", SERVER]).arg(program);
            taskset
        } else {
            Command::new(program)
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{} does not run: {error}", program.display()))?;
        Ok(Self { child })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(&mut self) -> Result<(), Failed> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// The first line that it prints.
    pub fn first_line(&mut self) -> Result<String, Failed> {
        let mut line = String::new();
        let out: Option<ChildStdout> = self.child.stdout.take();
        if let Some(out) = out {
            BufReader::new(out).read_line(&mut line)?;
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
