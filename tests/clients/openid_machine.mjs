// A partner's job with a key of its own (private_key_jwt): no person, no shared secret.
//
//   ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \
//   API=https://api.bank.example/accounts SCOPE=accounts:read node openid_machine.mjs
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, KEY, API, SCOPE } = process.env

// A private key as a JWK; its public half is registered with the bank.
const jwk = JSON.parse(await readFile(KEY, 'utf8'))
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign'])

const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  client.PrivateKeyJwt({ key, kid: jwk.kid }),
  { execute: local ? [client.allowInsecureRequests] : [] },
)

const tokens = await client.clientCredentialsGrant(bank, { scope: SCOPE })
const response = await client.fetchProtectedResource(
  bank,
  tokens.access_token,
  new URL(API),
  'GET',
)
console.log(await response.text())
await client.tokenRevocation(bank, tokens.access_token)
