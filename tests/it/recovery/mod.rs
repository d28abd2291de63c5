//! Getting in again after everything was lost, and closing for good.

mod app;
mod care;
pub mod reproof;

use countersign::flows::read_audit::Wanted;
use countersign::flows::{AdminFailure, Progress};
use countersign::http::admin::{self, AdminCommand, AdminReply};
use serde_json::Value;

use crate::support::TestServer;
use crate::support::server::caller;

/// What an operator asks for; a refusal is its sentence.
async fn operate(server: &TestServer, command: AdminCommand) -> Result<AdminReply, String> {
    let done = admin::execute(&server.app, command, &caller(), &Progress::none()).await;
    done.map_err(|failure| match failure {
        AdminFailure::Refused(why) => why,
        AdminFailure::Fault(fault) => panic!("{fault}"),
    })
}

/// How many events of a kind there are.
async fn events(server: &TestServer, kind: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE kind = '{kind}'");
    server.number(&sql).await
}

/// The newest event of a kind.
async fn newest(server: &TestServer, kind: &str) -> Value {
    let wanted = Wanted {
        kind: Some(kind.to_owned()),
        limit: 1,
        ..Wanted::default()
    };
    match operate(server, AdminCommand::AuditList(wanted)).await {
        Ok(AdminReply::Events(mut found)) => found.remove(0),
        other => panic!("{other:?}"),
    }
}
