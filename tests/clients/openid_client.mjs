// A partner's web app with openid-client: people sign in at the bank and share their accounts.
//
//   ISSUER=https://login.bank.example CLIENT_ID=… CLIENT_SECRET=… \
//   API=https://api.bank.example/accounts PORT=8080 node openid_client.mjs
import * as client from 'openid-client'
import { begin, expected, forget, serve } from './web_app.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, API, PORT } = process.env
const HOME = `http://127.0.0.1:${PORT}`
const REDIRECT_URI = `${HOME}/callback`
const SCOPE = 'openid profile email offline_access accounts:read'

// Everything else about the bank is read from its discovery document.
// Plain HTTP is for what runs on your own machine only.
const local = [ISSUER, API].some((address) => new URL(address).protocol === 'http:')
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  client.ClientSecretBasic(CLIENT_SECRET),
  { execute: local ? [client.allowInsecureRequests] : [] },
)

/** Where to send the browser: the request is pushed (RFC 9126) and never travels through it. */
async function signIn(session) {
  return client.buildAuthorizationUrlWithPAR(bank, await begin(session, REDIRECT_URI, SCOPE))
}

/** The browser is back: checks state and issuer, redeems the code, verifies the ID token. */
async function callback(session, url) {
  session.tokens = await client.authorizationCodeGrant(bank, url, expected(session))
  session.refreshToken = session.tokens.refresh_token
  session.idToken = session.tokens.id_token
  session.person = session.tokens.claims()
  return new URL(HOME)
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
  return session.tokens
}

/** Gives everything back: the refresh token takes the access tokens along. */
async function disconnect(session) {
  await client.tokenRevocation(bank, session.refreshToken)
  forget(session)
  return { disconnected: true }
}

/** Signs out here, and at the bank too: the ID token says whose session ends. */
function signOut(session) {
  const { idToken } = session
  forget(session)
  session.left = client.randomState()
  return client.buildEndSessionUrl(bank, {
    id_token_hint: idToken,
    post_logout_redirect_uri: `${HOME}/signed-out`,
    state: session.left,
  })
}

serve(PORT, {
  '/sign-in': signIn,
  '/callback': callback,
  '/': async (session) => ({ ...session.person, ...(await userinfo(session)) }),
  '/accounts': accounts,
  '/refresh': refresh,
  '/disconnect': disconnect,
  '/sign-out': signOut,
  '/signed-out': (session, url) => ({ signed_out: url.searchParams.get('state') === session.left }),
})
