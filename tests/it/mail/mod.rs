//! People are told by mail what happens in their accounts.

mod address;
mod delivery;
mod told;

use countersign::jobs::mails;

use crate::support::TestServer;
use crate::support::smtp::{Got, Smtp};

/// Ticks the job until nothing is due, and gives what came.
pub async fn delivered(server: &TestServer, smtp: &Smtp) -> Vec<Got> {
    for _ in 0..20 {
        mails::tick(&server.app).await.unwrap();
        if server.number("SELECT COUNT(*) FROM mails").await == 0 {
            break;
        }
    }
    smtp.take()
}

/// The subjects of letters, sorted: those of one moment come in any order.
pub fn subjects(letters: &[Got]) -> Vec<String> {
    let mut subjects: Vec<_> = letters.iter().map(|got| got.header("Subject")).collect();
    subjects.sort();
    subjects
}

/// How many events of a kind there are.
async fn events(server: &TestServer, kind: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE kind = '{kind}'");
    server.number(&sql).await
}

/// How many mails wait.
async fn waiting(server: &TestServer) -> i64 {
    server.number("SELECT COUNT(*) FROM mails").await
}
