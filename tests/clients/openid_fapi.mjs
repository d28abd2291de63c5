// A partner's web app by FAPI 2.0 with openid-client: no secret, requests signed and pushed, answers
// signed, tokens bound to a key (DPoP).
//
//   ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \
//   PORT=8080 node openid_fapi.mjs
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, KEY, PORT } = process.env
const HOME = `http://127.0.0.1:${PORT}`
const REDIRECT_URI = `${HOME}/callback`
const SCOPE = 'openid email offline_access accounts:read'

// The key that authenticates the app and signs its requests; its public half is registered.
const jwk = JSON.parse(await readFile(KEY, 'utf8'))
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign'])
const signing = { key, kid: jwk.kid }

const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  { id_token_signed_response_alg: 'ES256' },
  client.PrivateKeyJwt(signing),
  { execute: [client.useJwtResponseMode, ...(local ? [client.allowInsecureRequests] : [])] },
)

// The key that tokens are bound to. It is made here and never leaves; nonces are kept with it.
const DPoP = client.getDPoPHandle(bank, await client.randomDPoPKeyPair('ES256'))

/** Where to send the browser: the request is signed (JAR), then pushed with a proof (PAR, DPoP). */
async function signIn(session) {
  session.verifier = client.randomPKCECodeVerifier()
  session.state = client.randomState()
  session.nonce = client.randomNonce()
  const parameters = {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
  }
  const signed = await client.buildAuthorizationUrlWithJAR(bank, parameters, signing)
  return client.buildAuthorizationUrlWithPAR(bank, signed.searchParams, { DPoP })
}

/** The browser is back with a signed answer (JARM); the code is redeemed with a proof. */
async function callback(session, url) {
  const checks = {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    expectedNonce: session.nonce,
    idTokenExpected: true,
  }
  session.tokens = await client.authorizationCodeGrant(bank, url, checks, undefined, { DPoP })
  session.refreshToken = session.tokens.refresh_token
  session.person = session.tokens.claims()
}

/** Each call with an access token has a proof of its own. */
async function userinfo(session) {
  const { access_token } = session.tokens
  return client.fetchUserInfo(bank, access_token, session.person.sub, { DPoP })
}

/** The refresh token stays the same. */
async function refresh(session) {
  session.tokens = await client.refreshTokenGrant(bank, session.refreshToken, undefined, { DPoP })
  session.refreshToken = session.tokens.refresh_token ?? session.refreshToken
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
    show(404, { error: 'not_found' })
  } catch (error) {
    show(502, { error: error.error ?? error.code, error_description: error.error_description ?? error.message })
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${HOME}`))
