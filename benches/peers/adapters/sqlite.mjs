// A file in WAL mode, each commit durable, as the server under test has it.

import Database from 'better-sqlite3';

import { SCHEMA, adapterOver } from './sql.mjs';

export async function open(path) {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  for (const statement of SCHEMA) db.exec(statement);
  const prepared = new Map();
  const prepare = (sql) => {
    let statement = prepared.get(sql);
    if (!statement) {
      // Only a bare `?` is bound by position; every statement has its values in order.
      statement = db.prepare(sql.replace(/\$\d/g, '?'));
      prepared.set(sql, statement);
    }
    return statement;
  };
  return adapterOver({
    get: (sql, values) => prepare(sql).get(...values),
    run: (sql, values) => void prepare(sql).run(...values),
  });
}
