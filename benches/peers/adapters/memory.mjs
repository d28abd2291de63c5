// A map that keeps everything: the adapter that oidc-provider brings forgets all but a thousand
// things, and is there for a first look only.

export async function open() {
  const models = new Map();
  const byGrant = new Map();
  const byUid = new Map();
  const byUserCode = new Map();
  const seconds = () => Math.floor(Date.now() / 1000);
  return class Adapter {
    constructor(model) {
      this.model = model;
    }

    key(id) {
      return `${this.model}:${id}`;
    }

    async upsert(id, payload, expiresIn) {
      const key = this.key(id);
      models.set(key, { payload, expiresAt: expiresIn ? seconds() + expiresIn : Infinity });
      if (payload.uid) byUid.set(payload.uid, key);
      if (payload.userCode) byUserCode.set(payload.userCode, key);
      if (payload.grantId) {
        const keys = byGrant.get(payload.grantId);
        if (keys) keys.add(key);
        else byGrant.set(payload.grantId, new Set([key]));
      }
    }

    read(key) {
      const found = models.get(key);
      if (!found) return undefined;
      if (found.expiresAt >= seconds()) return found.payload;
      models.delete(key);
      return undefined;
    }

    async find(id) {
      return this.read(this.key(id));
    }

    async findByUid(uid) {
      return this.read(byUid.get(uid));
    }

    async findByUserCode(userCode) {
      return this.read(byUserCode.get(userCode));
    }

    async consume(id) {
      const found = models.get(this.key(id));
      if (found) found.payload.consumed = seconds();
    }

    async destroy(id) {
      models.delete(this.key(id));
    }

    async revokeByGrantId(grantId) {
      for (const key of byGrant.get(grantId) ?? []) models.delete(key);
      byGrant.delete(grantId);
    }
  };
}
