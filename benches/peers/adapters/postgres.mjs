// A database of its own, over a pool as large as that of the server under test.

import pg from 'pg';

import { SCHEMA, adapterOver } from './sql.mjs';

export async function open(url) {
  const { host, port, user, database } = Object.fromEntries(
    url.split(/\s+/).map((pair) => pair.split('=')),
  );
  const pool = new pg.Pool({ host, port: Number(port), user, database, max: 16 });
  for (const statement of SCHEMA) await pool.query(statement);
  const names = new Map();
  // A named statement is prepared once on each connection.
  const query = (text, values) => {
    if (!names.has(text)) names.set(text, `s${names.size}`);
    return pool.query({ name: names.get(text), text, values });
  };
  return adapterOver({
    get: async (sql, values) => (await query(sql, values)).rows[0],
    run: async (sql, values) => void (await query(sql, values)),
  });
}
