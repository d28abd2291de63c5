// A partner's web app by FAPI 2.0 with openid-client: no secret, requests signed and pushed, answers
// and userinfo signed, tokens bound to a key (DPoP).
//
//   ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \
//   PORT=8080 node openid_fapi.mjs
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'
import { run } from './fapi_app.mjs'

const { ISSUER, CLIENT_ID, KEY } = process.env

// The key that authenticates the app and signs its requests; its public half is registered.
const jwk = JSON.parse(await readFile(KEY, 'utf8'))
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign'])
const signing = { key, kid: jwk.kid }

// Answers are signed, and signatures are verified: also of what comes from the bank itself.
const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  { id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' },
  client.PrivateKeyJwt(signing),
  {
    execute: [
      client.useJwtResponseMode,
      client.enableNonRepudiationChecks,
      ...(local ? [client.allowInsecureRequests] : []),
    ],
  },
)

// The key that tokens are bound to. It is made here and never leaves; nonces are kept with it.
const DPoP = client.getDPoPHandle(bank, await client.randomDPoPKeyPair('ES256'))

run(bank, { signing, bound: { DPoP } })
