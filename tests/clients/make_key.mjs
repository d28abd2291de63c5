// Makes a key pair for private_key_jwt: `private-key.jwk.json`, which stays with the app, and
// `public-keys.json`, which is registered with the bank.
//
//   node make_key.mjs FOLDER
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const folder = process.argv[2] ?? '.'
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', privateKey)
// The key's name is its thumbprint (RFC 7638).
const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

const write = (name, value, mode) =>
  writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`, { mode })
await write('private-key.jwk.json', { kty, crv, x, y, d, kid, alg: 'ES256' }, 0o600)
await write('public-keys.json', { keys: [{ kty, crv, x, y, kid, alg: 'ES256' }] }, 0o644)
