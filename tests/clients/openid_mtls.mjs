// A partner's web app by FAPI 2.0 with openid-client and a client certificate (RFC 8705): it
// authenticates the app, and tokens are bound to it. No secret, no proofs.
//
//   ISSUER=https://login.bank.example CLIENT_ID=… CERTIFICATE=./app.pem PORT=8080 node openid_mtls.mjs
import { readFile } from 'node:fs/promises'
import http, { createServer } from 'node:http'
import https from 'node:https'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CERTIFICATE, PORT } = process.env
const HOME = `http://127.0.0.1:${PORT}`
const REDIRECT_URI = `${HOME}/callback`
const SCOPE = 'openid email offline_access accounts:read'

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

/** Where to send the browser: the request is pushed under the certificate. */
async function signIn(session) {
  session.verifier = client.randomPKCECodeVerifier()
  session.state = client.randomState()
  session.nonce = client.randomNonce()
  return client.buildAuthorizationUrlWithPAR(bank, {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
  })
}

/** The browser is back; the code is redeemed under the certificate. */
async function callback(session, url) {
  session.tokens = await client.authorizationCodeGrant(bank, url, {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    expectedNonce: session.nonce,
    idTokenExpected: true,
  })
  session.refreshToken = session.tokens.refresh_token
  session.person = session.tokens.claims()
}

/** Each call with an access token is made under the certificate, too. */
async function userinfo(session) {
  return client.fetchUserInfo(bank, session.tokens.access_token, session.person.sub)
}

/** The refresh token stays the same, also when the certificate is renewed. */
async function refresh(session) {
  session.tokens = await client.refreshTokenGrant(bank, session.refreshToken)
  session.refreshToken = session.tokens.refresh_token ?? session.refreshToken
}

/** Gives everything back: the refresh token takes the access tokens along. */
async function disconnect(session) {
  await client.tokenRevocation(bank, session.refreshToken)
}

// A real app keeps a session for each browser, in its database.
const session = {}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, HOME)
  const show = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  const go = (location) => response.writeHead(303, { location }).end()
  try {
    if (url.pathname === '/sign-in') return go((await signIn(session)).href)
    if (url.pathname === '/callback') {
      await callback(session, url)
      return go(HOME)
    }
    if (url.pathname === '/') return show(200, { ...session.person, ...(await userinfo(session)) })
    if (url.pathname === '/refresh') {
      await refresh(session)
      return show(200, session.tokens)
    }
    if (url.pathname === '/disconnect') {
      await disconnect(session)
      return show(200, { disconnected: true })
    }
    show(404, { error: 'not_found' })
  } catch (error) {
    show(502, { error: error.error ?? error.code, error_description: error.error_description ?? error.message })
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${HOME}`))
