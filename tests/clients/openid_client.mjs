// A partner's web app with openid-client: people sign in at the bank and share their accounts.
//
//   ISSUER=https://login.bank.example CLIENT_ID=… CLIENT_SECRET=… \
//   API=https://api.bank.example/accounts PORT=8080 node openid_client.mjs
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, API, PORT } = process.env
const HOME = `http://127.0.0.1:${PORT}`
const REDIRECT_URI = `${HOME}/callback`
const SCOPE = 'openid profile email offline_access accounts:read'

// Everything else about the bank is read from its discovery document.
// Plain HTTP is for a server on your own machine only.
const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  client.ClientSecretBasic(CLIENT_SECRET),
  { execute: local ? [client.allowInsecureRequests] : [] },
)

/** Where to send the browser; what must come back with it is kept in its session. */
async function signIn(session) {
  session.verifier = client.randomPKCECodeVerifier()
  session.state = client.randomState()
  session.nonce = client.randomNonce()
  // Pushed first (RFC 9126), so that the request itself never travels through the browser.
  return client.buildAuthorizationUrlWithPAR(bank, {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
  })
}

/** The browser is back: checks state and issuer, redeems the code, verifies the ID token. */
async function callback(session, url) {
  session.tokens = await client.authorizationCodeGrant(bank, url, {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    expectedNonce: session.nonce,
    idTokenExpected: true,
  })
  session.refreshToken = session.tokens.refresh_token
  session.idToken = session.tokens.id_token
  session.person = session.tokens.claims()
}

/** What the bank says of the person: name and address of mail, when she shared them. */
async function userinfo(session) {
  return client.fetchUserInfo(bank, session.tokens.access_token, session.person.sub)
}

/** Calls the API; refreshes first when the access token is about to end. */
async function accounts(session) {
  if (session.tokens.expiresIn() <= 30) await refresh(session)
  const response = await client.fetchProtectedResource(
    bank,
    session.tokens.access_token,
    new URL(API),
    'GET',
  )
  return response.json()
}

/** A new access token. The newest refresh token replaces the one before it. */
async function refresh(session) {
  session.tokens = await client.refreshTokenGrant(bank, session.refreshToken)
  session.refreshToken = session.tokens.refresh_token ?? session.refreshToken
}

/** Gives everything back: the refresh token takes the access tokens along. */
async function disconnect(session) {
  await client.tokenRevocation(bank, session.refreshToken)
}

/** Where to send the browser to sign out at the bank too; it comes back without being asked. */
function signOut(session) {
  return client.buildEndSessionUrl(bank, {
    id_token_hint: session.idToken,
    post_logout_redirect_uri: HOME,
  })
}

// A real app keeps sessions in its database.
const sessions = new Map()

const server = createServer(async (request, response) => {
  const url = new URL(request.url, HOME)
  const id = /app=([\w-]+)/.exec(request.headers.cookie)?.[1] ?? randomUUID()
  const session = sessions.get(id) ?? {}
  sessions.set(id, session)
  const headers = { 'set-cookie': `app=${id}; HttpOnly; SameSite=Lax; Path=/` }
  const show = (status, value) => {
    response.writeHead(status, { ...headers, 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  const go = (location) => response.writeHead(303, { ...headers, location }).end()
  try {
    if (url.pathname === '/sign-in') return go((await signIn(session)).href)
    if (url.pathname === '/callback') {
      await callback(session, url)
      return go(HOME)
    }
    if (!session.person) return go(`${HOME}/sign-in`)
    if (url.pathname === '/') return show(200, { ...session.person, ...(await userinfo(session)) })
    if (url.pathname === '/accounts') return show(200, await accounts(session))
    if (url.pathname === '/refresh') {
      await refresh(session)
      return show(200, session.tokens)
    }
    if (url.pathname === '/sign-out') {
      sessions.delete(id)
      return go(signOut(session).href)
    }
    if (url.pathname === '/disconnect') {
      await disconnect(session)
      sessions.delete(id)
      return show(200, { disconnected: true })
    }
    show(404, { error: 'not_found' })
  } catch (error) {
    // An OAuth error carries what to change: error, error_description, error_uri.
    show(502, { error: error.error ?? error.code, error_description: error.error_description ?? error.message })
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${HOME}`))
