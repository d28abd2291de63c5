// The shape that oidc-provider asks of a store, over two functions that each SQL engine brings:
// `get(sql, values)` gives a row or undefined, `run(sql, values)` gives nothing. One table, one row a
// model; whatever an index is needed for is a column.

export const SCHEMA = [
  `CREATE TABLE models (
    id TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT,
    uid TEXT,
    user_code TEXT,
    payload TEXT NOT NULL,
    consumed_at BIGINT,
    expires_at BIGINT
  )`,
  'CREATE INDEX models_by_grant ON models (grant_id) WHERE grant_id IS NOT NULL',
  'CREATE INDEX models_by_uid ON models (uid) WHERE uid IS NOT NULL',
];

const UPSERT = `INSERT INTO models (id, grant_id, uid, user_code, payload, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET grant_id = excluded.grant_id,
  uid = excluded.uid, user_code = excluded.user_code, payload = excluded.payload,
  expires_at = excluded.expires_at`;
const COLUMNS = 'SELECT payload, consumed_at, expires_at FROM models WHERE';

const seconds = () => Math.floor(Date.now() / 1000);

export function adapterOver({ get, run }) {
  const read = (row) => {
    if (!row || (row.expires_at !== null && Number(row.expires_at) < seconds())) return undefined;
    const payload = JSON.parse(row.payload);
    if (row.consumed_at !== null) payload.consumed = Number(row.consumed_at);
    return payload;
  };
  return class Adapter {
    constructor(model) {
      this.model = model;
    }

    key(id) {
      return `${this.model}:${id}`;
    }

    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn ? seconds() + expiresIn : null;
      const { grantId = null, uid = null, userCode = null } = payload;
      await run(UPSERT, [this.key(id), grantId, uid, userCode, JSON.stringify(payload), expiresAt]);
    }

    async find(id) {
      return read(await get(`${COLUMNS} id = $1`, [this.key(id)]));
    }

    async findByUid(uid) {
      return read(await get(`${COLUMNS} uid = $1`, [uid]));
    }

    async findByUserCode(userCode) {
      return read(await get(`${COLUMNS} user_code = $1`, [userCode]));
    }

    async consume(id) {
      await run('UPDATE models SET consumed_at = $1 WHERE id = $2', [seconds(), this.key(id)]);
    }

    async destroy(id) {
      await run('DELETE FROM models WHERE id = $1', [this.key(id)]);
    }

    async revokeByGrantId(grantId) {
      await run('DELETE FROM models WHERE grant_id = $1', [grantId]);
    }
  };
}
