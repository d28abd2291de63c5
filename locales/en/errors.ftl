# What errors mean, for developers. Values in capitals stand for the developer’s own.

errors-title = Errors
errors-intro = Every error of this server links to a page here: what it means, what causes it, a wrong and a right request.
errors-wrong = Wrong
errors-right = Right
errors-standard = In the standard
errors-own-values = Words in capitals stand for your own values. Bodies are forms (application/x-www-form-urlencoded); lines are broken here to be read.
errors-all = All errors
errors-explained = What this error means, with a wrong and a right request

## invalid_request
error-invalid-request = The request itself is not as the standard wants it: something is missing, repeated or badly formed.
error-invalid-request-redirect-uri = The redirect URI is not registered
error-invalid-request-redirect-uri-text = It must be one of the client’s registered addresses, equal to the last character: scheme, port, final slash and query. Until it is, the browser is sent nowhere and the person sees a page. Compare with what countersign client show prints.
error-invalid-request-client-id = The client is not known
error-invalid-request-client-id-text = The client_id is missing, mistyped, of another environment, or the client was disabled. Ask the institution for the right one.
error-invalid-request-pkce = PKCE is missing or not S256
error-invalid-request-pkce-text = Make a random verifier of 43 to 128 characters for each request, send the base64url SHA-256 of it without padding as code_challenge, and keep the verifier for the token request.
error-invalid-request-missing-parameter = A parameter is missing
error-invalid-request-missing-parameter-text = The description names it. A parameter that is sent empty counts as missing.
error-invalid-request-repeated-parameter = A parameter is repeated
error-invalid-request-repeated-parameter-text = Each parameter may stand there once; only resource may be repeated. Often a library adds what the code adds too.
error-invalid-request-encoding = The body is not a form
error-invalid-request-encoding-text = Send parameters as application/x-www-form-urlencoded in UTF-8, not as JSON, and not in the query.
error-invalid-request-two-methods = The client authenticates twice
error-invalid-request-two-methods-text = Use the Authorization header, or the body, or an assertion; never two of them.
error-invalid-request-prompt = The prompts do not go together
error-invalid-request-prompt-text = prompt takes none, login, consent and select_account; none stands alone.
error-invalid-request-missing-proof = The DPoP proof is missing
error-invalid-request-missing-proof-text = The tokens of this client are bound to a key. Send one DPoP header with a proof that is new for each request.
error-invalid-request-certificate = The client certificate is missing
error-invalid-request-certificate-text = The tokens of this client are bound to its TLS certificate. Connect with it, at the addresses that the metadata lists under mtls_endpoint_aliases.
error-invalid-request-not-pushed = The request must be pushed
error-invalid-request-not-pushed-text = This client’s requests are pushed to the PAR endpoint first, authenticated; the browser then brings client_id and request_uri alone.
error-invalid-request-signed-request = The request must be signed
error-invalid-request-signed-request-text = This client sends its parameters as a request object: a JWT under its registered key, in the parameter request.
error-invalid-request-pushed-request-uri = A reference was pushed
error-invalid-request-pushed-request-uri-text = Push the parameters themselves; the answer is the request_uri for the browser.

## unsupported_response_type
error-unsupported-response-type = The server answers with a code only.
error-unsupported-response-type-response-type = The response type must be code
error-unsupported-response-type-response-type-text = Tokens never travel through the browser’s address. Use the code flow with PKCE, in single-page apps too.

## access_denied
error-access-denied = The person did not agree, or a rule does not let her.
error-access-denied-no = A no is an answer
error-access-denied-no-text = Show what your app can do without it, and let the person try again when she wants to. Do not send her back at once.

## login_required
error-login-required = The person must sign in, and prompt=none forbids to ask.
error-login-required-prompt-none = Nobody is signed in
error-login-required-prompt-none-text = prompt=none asks whether it works without a page. When it does not, send the person without it, in a full window.

## consent_required
error-consent-required = The person must be asked, and prompt=none forbids it.
error-consent-required-prompt-none = Not all of it was granted before
error-consent-required-prompt-none-text = She is asked once for each new scope, and again when a consent is over. A public app behind a loopback address is always asked for. Send her without prompt=none.

## interaction_required
error-interaction-required = The person must do something, and prompt=none forbids to show a page.
error-interaction-required-prompt-none = A page must be shown
error-interaction-required-prompt-none-text = Send her without prompt=none.

## unmet_authentication_requirements
error-unmet-authentication-requirements = The person could not prove herself as strongly as the request demands.
error-unmet-authentication-requirements-acr = The acr that is asked for is not reached
error-unmet-authentication-requirements-acr-text = Ask for a value of acr_values_supported in the discovery document, and make it essential only when nothing less will do.

## invalid_request_uri
error-invalid-request-uri = The reference to a pushed request is not good.
error-invalid-request-uri-expired = It is old, used, or was pushed by another client
error-invalid-request-uri-expired-text = A pushed request lives for 90 seconds and is answered once. Push when the person wants to go, not before, and push anew for each attempt.

## request_not_supported
error-request-not-supported = Request objects are not read here.
error-request-not-supported-request-object = Push the parameters instead
error-request-not-supported-request-object-text = A pushed request is authenticated and cannot be altered by anybody, which is what a request object is for.

## request_uri_not_supported
error-request-uri-not-supported = The server fetches no requests from elsewhere.
error-request-uri-not-supported-pushed = Only references of this server are good
error-request-uri-not-supported-pushed-text = Push the parameters to /par and send the browser with the request_uri of the answer.

## registration_not_supported
error-registration-not-supported = Clients are registered by the institution, not in a request.
error-registration-not-supported-registration = Leave registration out
error-registration-not-supported-registration-text = Ask the institution to register your app.

## invalid_client
error-invalid-client = The server could not be sure that the request comes from this client.
error-invalid-client-secret = The secret is wrong, or the client is unknown
error-invalid-client-secret-text = Both get the same answer. Usual causes: the secret of another environment, a line break at its end, a secret that was replaced, or an id and secret that were not form-encoded before Base64.
error-invalid-client-header = The Authorization header cannot be read
error-invalid-client-header-text = It is the word Basic, one space, and Base64 of id, colon and secret.
error-invalid-client-method = Another method is registered
error-invalid-client-method-text = A client has one method. One with a key sends an assertion, never a secret; one without credentials sends its client_id only.
error-invalid-client-assertion = The assertion is not complete or not signed right
error-invalid-client-assertion-text = Sign with a registered key by ES256, PS256 or EdDSA. iss and sub are the client id, aud the issuer, jti is new each time, exp is near. What is signed:
error-invalid-client-assertion-audience = The audience is not the issuer
error-invalid-client-assertion-audience-text = aud is this server’s issuer identifier and nothing else: one string, no endpoint address, no array. Many libraries take the token endpoint by default; set it.
error-invalid-client-assertion-time = The times are not right
error-invalid-client-assertion-time-text = The description says by how many seconds. Make an assertion for each request, let it live for a minute, count in seconds, and let the machine’s clock be set by NTP.
error-invalid-client-assertion-replay = The assertion was used before
error-invalid-client-assertion-replay-text = Each jti is good once. Do not cache assertions, and make a new one when a request is sent again.
error-invalid-client-jwks-uri = The public keys cannot be fetched
error-invalid-client-jwks-uri-text = The server fetches the keys from the registered jwks_uri when it needs them: by https, without following redirects, at most 64 KiB within three seconds. The bank must be able to reach the address; one inside its own network has to be allowed by the operator.
error-invalid-client-certificate = The client certificate is missing or not the registered one
error-invalid-client-certificate-text = The client connects with its certificate, at the addresses in mtls_endpoint_aliases, and sends its client_id. The certificate must be current, not revoked, certified by an authority that the bank trusts, and for the registered subject; or, for a self-signed one, have a registered key.
error-invalid-client-introspection = Introspection is for APIs that authenticate
error-invalid-client-introspection-text = A client without credentials cannot ask about tokens. Register the API as a confidential client.

## unauthorized_client
error-unauthorized-client = This client may not use this way to tokens.
error-unauthorized-client-grant-type = The grant type is not registered
error-unauthorized-client-grant-type-text = Each client is registered for the grant types that it needs. Ask the institution to add this one, or use the right client.

## invalid_grant
error-invalid-grant = What was presented for tokens is not good: not known, used, expired, revoked, or another client’s.
error-invalid-grant-code = The code is used, old or another client’s
error-invalid-grant-code-text = A code lives for one minute and is good once. A client that presents it right for the second time loses what the first gave: look for a double submit, or a retry after a timeout. Send the person to the authorization endpoint again.
error-invalid-grant-code-verifier = The verifier does not fit
error-invalid-grant-code-verifier-text = Send the verifier whose SHA-256 was the code_challenge of the same request. Two tabs need two verifiers: keep it by state, not in one place for all.
error-invalid-grant-redirect-uri = The redirect URI is another one
error-invalid-grant-redirect-uri-text = Send the same redirect_uri as in the authorization request.
error-invalid-grant-refresh-token = The refresh token is over
error-invalid-grant-refresh-token-text = The person stopped the sharing, signed out (without offline_access), or the consent’s time is over; or an old token of a public client came back after its successor. Keep the newest one, refresh from one place, and ask the person again.
error-invalid-grant-code-key = The code is bound to a key
error-invalid-grant-code-key-text = The request named a key (dpop_jkt), or was pushed with a DPoP proof. Send a proof made with that key to the token endpoint.
error-invalid-grant-refresh-token-key = The refresh token is bound to a key or certificate
error-invalid-grant-refresh-token-key-text = It was issued to a client without authentication, whose key or certificate alone proves whose it is. Send a DPoP proof made with the same key, or connect with the same certificate.
error-invalid-grant-other-client = The token is another client’s
error-invalid-grant-other-client-text = Only the client that a token was issued to may revoke it.

## unsupported_grant_type
error-unsupported-grant-type = The server gives no tokens for this grant type, to nobody.
error-unsupported-grant-type-grant-type = There are three grant types
error-unsupported-grant-type-grant-type-text = authorization_code, refresh_token and client_credentials. The password grant is gone for good: an app never sees a password.

## unsupported_token_type
error-unsupported-token-type = Tokens of this kind cannot be revoked.
error-unsupported-token-type-revocation = Access and refresh tokens can be revoked
error-unsupported-token-type-revocation-text = Revoke the refresh token; the access tokens behind it end with it. ID tokens cannot be revoked.

## invalid_scope
error-invalid-scope = What is asked for does not exist, or this client may not ask for it.
error-invalid-scope-scope = The scope is unknown, missing or not this client’s
error-invalid-scope-scope-text = Names are case-sensitive and stand between single spaces. A refresh may ask for less than before, never for more. With resource, only the scopes of that resource fit.

## invalid_target
error-invalid-target = The resource does not exist, or does not fit the rest of the request.
error-invalid-target-resource = The resource is not known or not granted
error-invalid-target-resource-text = resource is the API’s registered URI, to the letter. One request can name several only if their tokens have the same format.

## invalid_token
error-invalid-token = The access token is missing, not known, expired or revoked.
error-invalid-token-token = Get a new one
error-invalid-token-token-text = Refresh, or send the person to the authorization endpoint. Do not send the same token again: nothing makes it good.
error-invalid-token-bound = The token is bound to a key or certificate
error-invalid-token-bound-text = Its token_type says how it is sent: DPoP with a new proof for each request, made with the key it was issued to; or Bearer over a TLS connection with the client’s certificate.

## insufficient_scope
error-insufficient-scope = The access token is good, but not for this.
error-insufficient-scope-openid = Userinfo needs the scope openid
error-insufficient-scope-openid-text = Ask for openid in the authorization request, with profile, email and others for what you need to know.

## temporarily_unavailable
error-temporarily-unavailable = The request is fine, and will be answered later.
error-temporarily-unavailable-too-many-requests = Too many requests came (429)
error-temporarily-unavailable-too-many-requests-text = Wait as many seconds as Retry-After says; then the same request is let through. RateLimit-Policy names the limit. Keep tokens until they expire instead of getting one for each call.
error-temporarily-unavailable-fault = The server failed (503)
error-temporarily-unavailable-fault-text = Nothing was decided. Try again after Retry-After, with growing pauses; tell the institution the x-request-id if it stays.

## invalid_dpop_proof
error-invalid-dpop-proof = The DPoP proof is missing, wrong, or made for another request.
error-invalid-dpop-proof-missing = The proof is missing
error-invalid-dpop-proof-missing-text = The access token is bound to a key. Send it with one DPoP header with a proof that is new for each request.
error-invalid-dpop-proof-proof = The proof is not as the standard wants it
error-invalid-dpop-proof-proof-text = A JWT with typ dpop+jwt, signed with PS256, ES256 or EdDSA, the public key in the header as jwk, and the claims jti, htm, htu and iat. Never put the private key there: replace one that was sent.
error-invalid-dpop-proof-proof-time = The proof is not of this moment
error-invalid-dpop-proof-proof-time-text = iat is in seconds and within a minute of this server’s clock. Make a proof for each request, and set the machine’s clock by NTP.
error-invalid-dpop-proof-proof-target = The proof is for another request
error-invalid-dpop-proof-proof-target-text = htm is the method, htu the address that is called, without query and fragment, as the metadata names it. Behind a proxy it is the outer address that counts.
error-invalid-dpop-proof-proof-token = The proof is for another token
error-invalid-dpop-proof-proof-token-text = With an access token, the proof has ath: the base64url SHA-256 of the token. It must be signed with the key that the token was issued to.
error-invalid-dpop-proof-proof-key = dpop_jkt names another key
error-invalid-dpop-proof-proof-key-text = A pushed request that comes with a proof is bound to the key of the proof. Leave dpop_jkt out, or send the proof of the key that it names.
error-invalid-dpop-proof-proof-replay = The proof was used before
error-invalid-dpop-proof-proof-replay-text = Each proof is good for one request. Make a new one with a new jti, for a retry too.

## use_dpop_nonce
error-use-dpop-nonce = The proof must hold a nonce of this server.
error-use-dpop-nonce-nonce = Repeat the request with the nonce
error-use-dpop-nonce-nonce-text = Take the nonce from the header DPoP-Nonce of this answer, make a new proof with it and send the request again. Keep the newest nonce for what follows; most libraries do all this themselves.

## invalid_request_object
error-invalid-request-object = The signed request is not as the standards want it, or not signed by this client.
error-invalid-request-object-request-object = The request object is refused
error-invalid-request-object-request-object-text = Sign with PS256, ES256 or EdDSA under a registered key; iss and client_id are the client, aud is this server’s issuer, nbf is now, and exp at most 60 minutes later. All parameters stand inside; request and request_uri do not.

## invalid_authorization_details
error-invalid-authorization-details = The authorization details (RFC 9396) are not as this server takes them.
error-invalid-authorization-details-type = The type is not registered for the client
error-invalid-authorization-details-type-text = The metadata lists the types that there are in authorization_details_types_supported. A client may use those that the institution registered for it; ask for the one that is missing.
error-invalid-authorization-details-members = A member is unknown, missing or of another form
error-invalid-authorization-details-members-text = Each type has a schema. The description names the member; members that the schema does not know are refused, not ignored.
error-invalid-authorization-details-api = The type is for another API
error-invalid-authorization-details-api-text = Details travel in tokens for the APIs that their type is registered for. Leave resource out or name such an API; when the type is for any API, ask for a scope of the one that is meant, too.
error-invalid-authorization-details-widened = The token request asks for more than was granted
error-invalid-authorization-details-widened-text = At the token endpoint, authorization_details chooses among those that the person agreed to, member for member. For anything else send the person to the authorization endpoint again.
error-invalid-authorization-details-alone = A person must agree to the type
error-invalid-authorization-details-alone-text = With client_credentials nobody is asked. The institution decides which types a client may use like that; for all others send the person to the authorization endpoint.
