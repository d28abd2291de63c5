// npm's oidc-provider, set up for the load of the benchmark beside it:
//
//   node server.mjs memory|sqlite|postgres [where] [tokens]
//
// It prints one line of JSON when it is ready: its port, and the tokens and cookies that the load
// asks about. Clients authenticate with a secret in the header; nothing is signed but JWTs.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const [store = 'memory', where = '', many = '10000'] = process.argv.slice(2);
const DAY = 86400;
const REDIRECT = 'https://app.example/cb';
const SECRET = 'a-secret-of-the-benchmark-that-is-long-enough';
const APIS = {
  'https://api.bank.example/accounts': { scope: 'accounts:read', accessTokenFormat: 'opaque' },
  'https://api.bank.example/cards': {
    scope: 'cards:read',
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  },
};

const { open } = await import(`./adapters/${store}.mjs`);
const adapter = await open(where);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };

const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;

const person = {
  redirect_uris: [REDIRECT],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  id_token_signed_response_alg: 'ES256',
};
const own = {
  client_secret: SECRET,
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
  id_token_signed_response_alg: 'ES256',
};
const provider = new Provider(issuer, {
  adapter,
  clients: [
    { client_id: 'bench-api', ...own },
    { client_id: 'bench-machine', ...own },
    { client_id: 'bench-app', client_secret: SECRET, ...person },
    { client_id: 'bench-public', token_endpoint_auth_method: 'none', ...person },
  ],
  jwks: { keys: [key] },
  scopes: ['openid', 'offline_access'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    pushedAuthorizationRequests: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({ accessTokenTTL: DAY, ...APIS[resource] }),
    },
  },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  rotateRefreshToken: ({ oidc }) => oidc.client.clientId === 'bench-public',
  issueRefreshToken: async () => true,
  ttl: { AccessToken: DAY, ClientCredentials: DAY, Grant: DAY, RefreshToken: DAY, Session: DAY },
});
provider.on('server_error', (_, error) => console.error(error));
server.on('request', provider.callback());

const accounts = Object.keys(APIS)[0];
const clients = {};
for (const id of ['bench-machine', 'bench-app', 'bench-public']) {
  clients[id] = await provider.Client.find(id);
}

async function token() {
  const one = new provider.ClientCredentials({ client: clients['bench-machine'], scope: 'accounts:read' });
  one.resourceServer = new provider.ResourceServer(accounts, { accessTokenTTL: DAY, ...APIS[accounts] });
  return one.save();
}

async function grant(accountId, clientId) {
  const one = new provider.Grant({ accountId, clientId });
  one.addOIDCScope('openid offline_access');
  one.addResourceScope(accounts, 'accounts:read');
  return one.save();
}

async function refresh(accountId, clientId) {
  const one = new provider.RefreshToken({
    accountId,
    client: clients[clientId],
    grantId: await grant(accountId, clientId),
    scope: 'offline_access accounts:read',
    resource: accounts,
    authTime: Math.floor(Date.now() / 1000),
    gty: 'authorization_code',
    rotations: 0,
    iiat: Math.floor(Date.now() / 1000),
  });
  return one.save();
}

async function session(accountId) {
  const one = new provider.Session({});
  one.loginAccount({ accountId });
  one.grantIdFor('bench-app', await grant(accountId, 'bench-app'));
  await one.save(DAY);
  return one.jti;
}

const several = async (count, make) => {
  const made = [];
  for (let n = 0; n < count; n += 1) made.push(await make(`person${n}`));
  return made;
};
const ready = {
  port,
  basic: Object.fromEntries(
    ['bench-api', 'bench-machine', 'bench-app'].map((id) => [
      id,
      `Basic ${Buffer.from(`${id}:${SECRET}`).toString('base64')}`,
    ]),
  ),
  tokens: await several(Number(many), token),
  kept: await several(500, (person) => refresh(person, 'bench-app')),
  rotating: await several(500, (person) => refresh(person, 'bench-public')),
  sessions: await several(500, session),
};
console.log(JSON.stringify(ready));
