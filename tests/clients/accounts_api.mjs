// An API of the bank: asks the authorization server about every token it is handed.
//
//   ISSUER=https://login.bank.example CLIENT_ID=accounts-api CLIENT_SECRET=… \
//   RESOURCE=https://api.bank.example/accounts PORT=8081 node accounts_api.mjs
import { createServer } from 'node:http'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, RESOURCE, PORT } = process.env

const local = new URL(ISSUER).protocol === 'http:'
const bank = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  client.ClientSecretBasic(CLIENT_SECRET),
  { execute: local ? [client.allowInsecureRequests] : [] },
)

/** Why a caller is turned away (RFC 6750 section 3). */
class Refused extends Error {
  constructor(status, challenge) {
    super(challenge)
    this.status = status
    this.challenge = challenge
  }
}

/** What the token of a request allows, when it is good and has the scope. */
async function authorized(request, scope) {
  const token = /^bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization)?.[1]
  if (!token) throw new Refused(401, 'Bearer')
  const told = await client.tokenIntrospection(bank, token)
  // The server says active only of tokens that are for this API, alive and not revoked.
  // The audience is looked at all the same: an API may have several resources.
  if (!told.active || ![told.aud].flat().includes(RESOURCE)) {
    throw new Refused(401, 'Bearer error="invalid_token"')
  }
  if (!told.scope.split(' ').includes(scope)) {
    throw new Refused(403, `Bearer error="insufficient_scope", scope="${scope}"`)
  }
  return told
}

const server = createServer(async (request, response) => {
  const show = (status, value, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }
  try {
    const { sub, client_id } = await authorized(request, 'accounts:read')
    // `sub` is whose accounts these are; `client_id` is the app that asks.
    show(200, { sub, client_id, accounts: [{ iban: 'GB33BUKB20201555555555' }] })
  } catch (error) {
    if (error instanceof Refused) {
      return show(error.status, {}, { 'www-authenticate': error.challenge })
    }
    // No answer is no permission.
    show(503, {}, { 'retry-after': '1' })
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`))
