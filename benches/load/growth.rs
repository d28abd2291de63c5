//! What the database holds: its size, and many more people and grants than are worth signing in,
//! copied row by row from those that are.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::Failed;

/// A connection to the server's database, beside the server.
pub enum Database {
    /// The file.
    Sqlite(SqliteConnection),
    /// The database.
    Postgres(PgConnection),
}

/// A table to copy rows of: its name, what stands in place of some columns on SQLite and on
/// PostgreSQL, and what each new row belongs to.
struct Copy {
    table: &'static str,
    replaced: &'static [(&'static str, &'static str, &'static str)],
    from: &'static str,
}

/// New people have new identifiers, in the order of time, and new names; everything else of theirs
/// belongs to them.
const COPIES: [Copy; 5] = [
    Copy {
        table: "users",
        replaced: &[
            (
                "id",
                "unhex(printf('019a%028x', n.i))",
                "decode('019a' || lpad(to_hex(n.i), 28, '0'), 'hex')",
            ),
            (
                "name_key",
                "randomblob(32)",
                "uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())",
            ),
        ],
        from: "",
    },
    Copy {
        table: "person_keys",
        replaced: &[("user_id", "u.id", "u.id")],
        from: "users u WHERE NOT EXISTS (SELECT 1 FROM person_keys k WHERE k.user_id = u.id)",
    },
    Copy {
        table: "grants",
        replaced: &[("id", "u.id", "u.id"), ("user_id", "u.id", "u.id")],
        from: "users u WHERE NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = u.id)",
    },
    Copy {
        table: "authorizations",
        replaced: &[
            ("id", "u.id", "u.id"),
            ("grant_id", "u.id", "u.id"),
            ("user_id", "u.id", "u.id"),
            ("session_id", "u.id", "u.id"),
        ],
        from: "users u WHERE NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.id = u.id) \
               AND EXISTS (SELECT 1 FROM grants g WHERE g.id = u.id)",
    },
    Copy {
        table: "refresh_families",
        replaced: &[("id", "u.id", "u.id"), ("authorization_id", "u.id", "u.id")],
        from: "users u WHERE EXISTS (SELECT 1 FROM grants g WHERE g.id = u.id)",
    },
];

impl Database {
    /// Connects.
    pub async fn open(url: &str) -> Result<Self, Failed> {
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await?)
        } else {
            Self::Postgres(PgConnection::connect(url).await?)
        })
    }

    /// How many bytes it takes.
    pub async fn size(&mut self) -> Result<i64, Failed> {
        self.number(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            "SELECT pg_database_size(current_database())",
        )
        .await
    }

    /// How many audit events are not yet sealed into the tree.
    pub async fn unsealed(&mut self) -> Result<i64, Failed> {
        const COUNT: &str = "SELECT count(*) FROM audit_unsealed";
        self.number(COUNT, COUNT).await
    }

    /// Adds `many` people, each with a grant, an authorization and a family of refresh tokens.
    pub async fn grow(&mut self, many: usize) -> Result<(), Failed> {
        for copy in COPIES {
            let columns = self.columns(copy.table).await?;
            let sql = self.statement(&copy, &columns, many);
            self.run(sql).await?;
        }
        if let Self::Postgres(_) = self {
            self.run("ANALYZE".to_owned()).await?;
        }
        Ok(())
    }

    fn statement(&self, copy: &Copy, columns: &[String], many: usize) -> String {
        let is_sqlite = matches!(self, Self::Sqlite(_));
        let value = |column: &String| {
            let found = copy.replaced.iter().find(|(name, _, _)| name == column);
            match found {
                None => format!("t.{column}"),
                Some((_, sqlite, _)) if is_sqlite => (*sqlite).to_owned(),
                Some((_, _, postgres)) => (*postgres).to_owned(),
            }
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let table = copy.table;
        let of = match (copy.from, is_sqlite) {
            ("", true) => format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
                 SELECT i FROM n) n"
            ),
            ("", false) => format!("generate_series(1, {many}) n(i)"),
            (from, _) => from.to_owned(),
        };
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} LIMIT 1) t, {of}",
            columns.join(", "),
            values.join(", "),
        )
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>, Failed> {
        Ok(match self {
            Self::Sqlite(conn) => {
                sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
                    .bind(table.to_owned())
                    .fetch_all(conn)
                    .await?
            }
            Self::Postgres(conn) => {
                sqlx::query_scalar(
                    "SELECT column_name::text FROM information_schema.columns \
                     WHERE table_name = $1 ORDER BY ordinal_position",
                )
                .bind(table.to_owned())
                .fetch_all(conn)
                .await?
            }
        })
    }

    async fn run(&mut self, sql: String) -> Result<(), Failed> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(conn) => {
                sqlx::query(sql).execute(conn).await?;
            }
            Self::Postgres(conn) => {
                sqlx::query(sql).execute(conn).await?;
            }
        }
        Ok(())
    }

    async fn number(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Result<i64, Failed> {
        Ok(match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sqlite).fetch_one(conn).await?,
            Self::Postgres(conn) => sqlx::query_scalar(postgres).fetch_one(conn).await?,
        })
    }
}
