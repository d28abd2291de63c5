// A partner's web app by FAPI 2.0 with openid-client and a client certificate (RFC 8705): it
// authenticates the app, and tokens are bound to it. No secret, no proofs.
//
//   ISSUER=https://login.bank.example CLIENT_ID=… CERTIFICATE=./app.pem PORT=8080 node openid_mtls.mjs
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import * as client from 'openid-client'
import { run } from './fapi_app.mjs'

const { ISSUER, CLIENT_ID, CERTIFICATE } = process.env

// The certificate and its key, PEM.
const pem = await readFile(CERTIFICATE)

/** What openid-client asks, with the certificate: Node's own `fetch` shows none. */
function certifiedFetch(address, { method, headers, body, signal }) {
  const { request } = new URL(address).protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const asked = request(address, { method, headers, signal, cert: pem, key: pem })
    asked.on('error', reject).on('response', async (answer) => {
      try {
        const parts = await answer.toArray()
        const names = Object.entries(answer.headers).map(([name, value]) => [name, String(value)])
        const content = parts.length > 0 ? Buffer.concat(parts) : null
        resolve(new Response(content, { status: answer.statusCode, headers: names }))
      } catch (error) {
        reject(error)
      }
    })
    asked.end(body?.toString())
  })
}

// `use_mtls_endpoint_aliases`: certificates are presented at addresses of their own.
const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  { id_token_signed_response_alg: 'ES256', use_mtls_endpoint_aliases: true },
  client.TlsClientAuth(),
  {
    execute: local ? [client.allowInsecureRequests] : [],
    [client.customFetch]: certifiedFetch,
  },
)

run(bank)
