//! `packaging/postgresql/roles.sql`: what the server's role may do, and from when on.

use crate::support::postgres::Cluster;

const ROLES: &str = include_str!("../../../packaging/postgresql/roles.sql");
const TABLES: &str = include_str!("../../../migrations/postgres/0001_foundation.sql");

const DATABASE: &str = "operate_roles";
const AUDIT: [&str; 3] = ["audit_events", "audit_leaves", "audit_checkpoints"];

fn may(table: &str, act: &str) -> bool {
    let sql = format!("SELECT has_table_privilege('countersign', '{table}', '{act}')");
    Cluster::shared().execute(DATABASE, &sql) == "t"
}

#[test]
fn the_servers_role_adds_to_the_audit_log_and_never_more_than_that() {
    let cluster = Cluster::shared();
    cluster.create_database(DATABASE, None);
    cluster.execute(DATABASE, ROLES);
    // As a migration and a restore make them.
    cluster.execute(DATABASE, &format!("SET ROLE countersign_owner;\n{TABLES}"));
    for table in AUDIT {
        for act in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"] {
            assert!(!may(table, act), "{act} {table}, before it is run again");
        }
    }
    for _ in 0..2 {
        cluster.execute(DATABASE, ROLES);
        for table in AUDIT {
            assert!(may(table, "SELECT") && may(table, "INSERT"), "{table}");
            for act in ["UPDATE", "DELETE", "TRUNCATE"] {
                assert!(!may(table, act), "{act} {table}");
            }
        }
        for act in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
            assert!(may("users", act) && may("audit_unsealed", act), "{act}");
        }
        assert!(!may("users", "TRUNCATE"));
    }
}
