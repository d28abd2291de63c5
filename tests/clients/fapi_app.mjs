// What a partner's web app by FAPI 2.0 does, whether a key or a certificate binds its tokens.
import * as client from 'openid-client'
import { begin, expected, forget, serve } from './web_app.mjs'

const { PORT } = process.env
const HOME = `http://127.0.0.1:${PORT}`
const SCOPE = 'openid email offline_access accounts:read'

/** Runs the app. `signing` signs its requests (JAR); `bound` goes along with every call (DPoP). */
export function run(bank, { signing, bound } = {}) {
  /** Where to send the browser: the request is signed, then pushed with a proof. */
  async function signIn(session) {
    let parameters = await begin(session, `${HOME}/callback`, SCOPE)
    if (signing) {
      const signed = await client.buildAuthorizationUrlWithJAR(bank, parameters, signing)
      parameters = signed.searchParams
    }
    return client.buildAuthorizationUrlWithPAR(bank, parameters, bound)
  }

  /** The browser is back; the code is redeemed with a proof. */
  async function callback(session, url) {
    const checks = expected(session)
    session.tokens = await client.authorizationCodeGrant(bank, url, checks, undefined, bound)
    session.refreshToken = session.tokens.refresh_token
    session.person = session.tokens.claims()
    return new URL(HOME)
  }

  /** Each call with an access token has a proof of its own. */
  async function userinfo(session) {
    const { access_token } = session.tokens
    return client.fetchUserInfo(bank, access_token, session.person.sub, bound)
  }

  /** The refresh token stays the same, also when the certificate is renewed. */
  async function refresh(session) {
    session.tokens = await client.refreshTokenGrant(bank, session.refreshToken, undefined, bound)
    session.refreshToken = session.tokens.refresh_token ?? session.refreshToken
    return session.tokens
  }

  /** Gives everything back: the refresh token takes the access tokens along. */
  async function disconnect(session) {
    await client.tokenRevocation(bank, session.refreshToken)
    forget(session)
    return { disconnected: true }
  }

  serve(PORT, {
    '/sign-in': signIn,
    '/callback': callback,
    '/': async (session) => ({ ...session.person, ...(await userinfo(session)) }),
    '/refresh': refresh,
    '/disconnect': disconnect,
  })
}
