//! The command line: parses it, starts the runtime, and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use countersign::cli::{self, Cli};

/// 0: done · 1: refused or failed · 2: the command line itself is wrong (clap says so and exits).
fn main() -> ExitCode {
    // Whatever speaks TLS later uses the provider that is installed here. It fails only when one
    // is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Cli::parse();
    let json = arguments.wants_json();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => Err(format!("the runtime cannot be started: {error}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            if json {
                eprintln!("{}", failed.json());
            } else {
                eprintln!("error: {failed}");
            }
            ExitCode::FAILURE
        }
    }
}
