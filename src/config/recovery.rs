//! `[recovery]`: how people who lost what they sign in with get in again.

use std::time::Duration;

use serde::Deserialize;

use super::Refused;
use super::file::within;

/// `[recovery]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct RecoveryFile {
    pub wait_hours: u64,
    pub approval_hours: u64,
}

impl Default for RecoveryFile {
    fn default() -> Self {
        Self {
            wait_hours: 24,
            approval_hours: 72,
        }
    }
}

/// How long the steps of a re-proofing take.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// How long a person has to object before it can be approved.
    pub wait: Duration,
    /// For how long after that it can be.
    pub approval: Duration,
}

impl RecoveryFile {
    pub(super) fn check(self) -> Result<Recovery, Refused> {
        within("recovery.wait_hours", self.wait_hours, 0, 24 * 30)?;
        within("recovery.approval_hours", self.approval_hours, 1, 24 * 30)?;
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Ok(Recovery {
            wait: hours(self.wait_hours),
            approval: hours(self.approval_hours),
        })
    }
}
