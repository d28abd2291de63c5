# Was Fehler bedeuten, für Entwickler. Werte in Großbuchstaben stehen für eigene.

errors-title = Fehler
errors-intro = Jeder Fehler dieses Servers verweist auf eine Seite hier: was er bedeutet, was ihn verursacht, eine falsche und eine richtige Anfrage.
errors-wrong = Falsch
errors-right = Richtig
errors-standard = Im Standard
errors-own-values = Wörter in Großbuchstaben stehen für Ihre eigenen Werte. Bodys sind Formulare (application/x-www-form-urlencoded); Zeilen sind hier zum Lesen umbrochen.
errors-all = Alle Fehler
errors-explained = Was dieser Fehler bedeutet, mit einer falschen und einer richtigen Anfrage

## invalid_request
error-invalid-request = Die Anfrage selbst ist nicht so, wie der Standard sie verlangt: Etwas fehlt, ist doppelt oder hat die falsche Form.
error-invalid-request-redirect-uri = Die Redirect-URI ist nicht registriert
error-invalid-request-redirect-uri-text = Sie muss bis auf das letzte Zeichen einer registrierten Adresse gleichen: Schema, Port, Schrägstrich am Ende und Query. Bis dahin wird der Browser nirgendwohin geschickt, und die Person sieht eine Seite. Vergleichen Sie mit der Ausgabe von countersign client show.
error-invalid-request-client-id = Der Client ist nicht bekannt
error-invalid-request-client-id-text = Die client_id fehlt, ist vertippt, gehört zu einer anderen Umgebung, oder der Client wurde gesperrt. Fragen Sie das Institut nach der richtigen.
error-invalid-request-pkce = PKCE fehlt oder ist nicht S256
error-invalid-request-pkce-text = Erzeugen Sie für jede Anfrage einen zufälligen Verifier von 43 bis 128 Zeichen, senden Sie dessen SHA-256 in base64url ohne Füllzeichen als code_challenge, und behalten Sie den Verifier für die Token-Anfrage.
error-invalid-request-missing-parameter = Ein Parameter fehlt
error-invalid-request-missing-parameter-text = Die Beschreibung nennt ihn. Ein leer gesendeter Parameter gilt als fehlend.
error-invalid-request-repeated-parameter = Ein Parameter ist doppelt
error-invalid-request-repeated-parameter-text = Jeder Parameter darf einmal vorkommen; nur resource darf sich wiederholen. Oft setzt eine Bibliothek, was auch der eigene Code setzt.
error-invalid-request-encoding = Der Body ist kein Formular
error-invalid-request-encoding-text = Senden Sie Parameter als application/x-www-form-urlencoded in UTF-8, nicht als JSON und nicht in der Query.
error-invalid-request-two-methods = Der Client authentisiert sich doppelt
error-invalid-request-two-methods-text = Benutzen Sie den Authorization-Header oder den Body oder eine Assertion, nie zwei davon.
error-invalid-request-prompt = Die Werte von prompt passen nicht zusammen
error-invalid-request-prompt-text = prompt nimmt none, login, consent und select_account; none steht allein.
error-invalid-request-missing-proof = Der DPoP-Nachweis fehlt
error-invalid-request-missing-proof-text = Die Token dieses Clients sind an einen Schlüssel gebunden. Senden Sie einen DPoP-Header mit einem Nachweis, der für jede Anfrage neu ist.
error-invalid-request-certificate = Das Client-Zertifikat fehlt
error-invalid-request-certificate-text = Die Token dieses Clients sind an sein TLS-Zertifikat gebunden. Verbinden Sie sich damit, unter den Adressen, die die Metadaten unter mtls_endpoint_aliases nennen.
error-invalid-request-not-pushed = Die Anfrage muss hinterlegt werden
error-invalid-request-not-pushed-text = Dieser Client hinterlegt seine Anfragen zuerst angemeldet am PAR-Endpunkt; der Browser bringt dann nur client_id und request_uri.
error-invalid-request-signed-request = Die Anfrage muss signiert sein
error-invalid-request-signed-request-text = Dieser Client sendet seine Parameter als Request Object: ein JWT unter seinem registrierten Schlüssel im Parameter request.
error-invalid-request-pushed-request-uri = Eine Referenz wurde hinterlegt
error-invalid-request-pushed-request-uri-text = Hinterlegen Sie die Parameter selbst; die Antwort ist die request_uri für den Browser.

## unsupported_response_type
error-unsupported-response-type = Der Server antwortet nur mit einem Code.
error-unsupported-response-type-response-type = Der Response-Typ muss code sein
error-unsupported-response-type-response-type-text = Token reisen nie durch die Adresse des Browsers. Benutzen Sie den Code-Flow mit PKCE, auch in Single-Page-Apps.

## access_denied
error-access-denied = Die Person hat nicht zugestimmt, oder eine Regel lässt es nicht zu.
error-access-denied-no = Ein Nein ist eine Antwort
error-access-denied-no-text = Zeigen Sie, was Ihre App ohne das kann, und lassen Sie die Person es erneut versuchen, wenn sie will. Schicken Sie sie nicht sofort zurück.

## login_required
error-login-required = Die Person muss sich anmelden, und prompt=none verbietet zu fragen.
error-login-required-prompt-none = Niemand ist angemeldet
error-login-required-prompt-none-text = prompt=none fragt, ob es ohne Seite geht. Geht es nicht, schicken Sie die Person ohne diesen Wert, in einem ganzen Fenster.

## consent_required
error-consent-required = Die Person muss gefragt werden, und prompt=none verbietet es.
error-consent-required-prompt-none = Nicht alles wurde vorher gewährt
error-consent-required-prompt-none-text = Sie wird für jeden neuen Scope einmal gefragt und erneut, wenn eine Einwilligung abgelaufen ist. Bei einer öffentlichen App hinter einer Loopback-Adresse wird immer gefragt. Schicken Sie sie ohne prompt=none.

## interaction_required
error-interaction-required = Die Person muss etwas tun, und prompt=none verbietet, eine Seite zu zeigen.
error-interaction-required-prompt-none = Eine Seite muss gezeigt werden
error-interaction-required-prompt-none-text = Schicken Sie sie ohne prompt=none.

## unmet_authentication_requirements
error-unmet-authentication-requirements = Die Person konnte sich nicht so stark ausweisen, wie die Anfrage es verlangt.
error-unmet-authentication-requirements-acr = Der verlangte acr wird nicht erreicht
error-unmet-authentication-requirements-acr-text = Verlangen Sie einen Wert aus acr_values_supported im Discovery-Dokument, und machen Sie ihn nur dann verbindlich, wenn weniger nicht genügt.

## invalid_request_uri
error-invalid-request-uri = Die Referenz auf eine hinterlegte Anfrage gilt nicht.
error-invalid-request-uri-expired = Sie ist alt, benutzt oder von einem anderen Client
error-invalid-request-uri-expired-text = Eine hinterlegte Anfrage lebt 90 Sekunden und wird einmal beantwortet. Hinterlegen Sie sie, wenn die Person gehen will, nicht vorher, und für jeden Versuch neu.

## request_not_supported
error-request-not-supported = Request-Objekte werden hier nicht gelesen.
error-request-not-supported-request-object = Hinterlegen Sie stattdessen die Parameter
error-request-not-supported-request-object-text = Eine hinterlegte Anfrage ist authentisiert und von niemandem zu ändern; genau dafür ist ein Request-Objekt da.

## request_uri_not_supported
error-request-uri-not-supported = Der Server holt keine Anfragen von anderswo.
error-request-uri-not-supported-pushed = Nur Referenzen dieses Servers gelten
error-request-uri-not-supported-pushed-text = Hinterlegen Sie die Parameter bei /par und schicken Sie den Browser mit der request_uri der Antwort.

## registration_not_supported
error-registration-not-supported = Clients registriert das Institut, nicht eine Anfrage.
error-registration-not-supported-registration = Lassen Sie registration weg
error-registration-not-supported-registration-text = Bitten Sie das Institut, Ihre App zu registrieren.

## invalid_client
error-invalid-client = Der Server konnte nicht sicher sein, dass die Anfrage von diesem Client kommt.
error-invalid-client-secret = Das Secret ist falsch oder der Client unbekannt
error-invalid-client-secret-text = Beides bekommt dieselbe Antwort. Übliche Ursachen: das Secret einer anderen Umgebung, ein Zeilenumbruch am Ende, ein ersetztes Secret, oder Id und Secret wurden vor dem Base64 nicht formularkodiert.
error-invalid-client-header = Der Authorization-Header ist nicht lesbar
error-invalid-client-header-text = Er besteht aus dem Wort Basic, einem Leerzeichen und Base64 von Id, Doppelpunkt und Secret.
error-invalid-client-method = Eine andere Methode ist registriert
error-invalid-client-method-text = Ein Client hat eine Methode. Einer mit Schlüssel sendet eine Assertion und nie ein Secret; einer ohne Zugangsdaten sendet nur seine client_id.
error-invalid-client-assertion = Die Assertion ist unvollständig oder falsch signiert
error-invalid-client-assertion-text = Signieren Sie mit einem registrierten Schlüssel per ES256, PS256 oder EdDSA. iss und sub sind die Client-Id, aud der Issuer, jti ist jedes Mal neu, exp liegt nahe. Signiert wird:
error-invalid-client-assertion-audience = Die Audience ist nicht der Issuer
error-invalid-client-assertion-audience-text = aud ist die Issuer-Kennung dieses Servers und nichts sonst: ein String, keine Endpunktadresse, kein Array. Viele Bibliotheken nehmen von sich aus den Token-Endpunkt; stellen Sie das um.
error-invalid-client-assertion-time = Die Zeiten stimmen nicht
error-invalid-client-assertion-time-text = Die Beschreibung sagt, um wie viele Sekunden. Erzeugen Sie für jede Anfrage eine Assertion, lassen Sie sie eine Minute gelten, rechnen Sie in Sekunden, und lassen Sie die Uhr per NTP stellen.
error-invalid-client-assertion-replay = Die Assertion wurde schon benutzt
error-invalid-client-assertion-replay-text = Jede jti gilt einmal. Bewahren Sie Assertions nicht auf, und erzeugen Sie eine neue, wenn eine Anfrage wiederholt wird.
error-invalid-client-jwks-uri = Die öffentlichen Schlüssel sind nicht abrufbar
error-invalid-client-jwks-uri-text = Der Server holt die Schlüssel bei Bedarf unter der registrierten jwks_uri: per https, ohne Weiterleitungen zu folgen, höchstens 64 KiB in drei Sekunden. Die Bank muss die Adresse erreichen können; eine in ihrem eigenen Netz muss der Betreiber erlauben.
error-invalid-client-certificate = Das Clientzertifikat fehlt oder ist nicht das registrierte
error-invalid-client-certificate-text = Der Client verbindet sich mit seinem Zertifikat unter den Adressen in mtls_endpoint_aliases und sendet seine client_id. Das Zertifikat muss gültig, nicht gesperrt, von einer Stelle beglaubigt, der die Bank vertraut, und auf den registrierten Namen ausgestellt sein; ein selbst signiertes muss einen registrierten Schlüssel haben.
error-invalid-client-introspection = Introspection ist für APIs, die sich authentisieren
error-invalid-client-introspection-text = Ein Client ohne Zugangsdaten kann nicht nach Token fragen. Registrieren Sie die API als vertraulichen Client.

## unauthorized_client
error-unauthorized-client = Für diese Art, Token zu erhalten, ist der Client nicht registriert.
error-unauthorized-client-grant-type = Der Grant-Typ ist nicht registriert
error-unauthorized-client-grant-type-text = Jeder Client ist für die Grant-Typen registriert, die er braucht. Bitten Sie das Institut, diesen hinzuzufügen, oder benutzen Sie den richtigen Client.

## invalid_grant
error-invalid-grant = Was im Tausch gegen Token vorgelegt wurde, gilt nicht: unbekannt, benutzt, abgelaufen, widerrufen oder von einem anderen Client.
error-invalid-grant-code = Der Code ist benutzt, alt oder von einem anderen Client
error-invalid-grant-code-text = Ein Code lebt eine Minute und gilt einmal. Legt ihn der Client ein zweites Mal richtig vor, verliert er, was er beim ersten Mal bekam: Suchen Sie nach doppeltem Absenden oder Wiederholung nach Zeitablauf. Schicken Sie die Person erneut zum Authorization-Endpunkt.
error-invalid-grant-code-verifier = Der Verifier passt nicht
error-invalid-grant-code-verifier-text = Senden Sie den Verifier, dessen SHA-256 die code_challenge derselben Anfrage war. Zwei Tabs brauchen zwei Verifier: Bewahren Sie ihn je state auf, nicht an einer Stelle für alle.
error-invalid-grant-redirect-uri = Die Redirect-URI ist eine andere
error-invalid-grant-redirect-uri-text = Senden Sie dieselbe redirect_uri wie in der Autorisierungsanfrage.
error-invalid-grant-refresh-token = Der Refresh-Token ist zu Ende
error-invalid-grant-refresh-token-text = Die Person hat die Freigabe beendet, sich abgemeldet (ohne offline_access), oder die Zeit der Einwilligung ist um; oder ein alter Token eines öffentlichen Clients kam nach seinem Nachfolger. Behalten Sie den neuesten, erneuern Sie an einer Stelle, und fragen Sie die Person erneut.
error-invalid-grant-code-key = Der Code ist an einen Schlüssel gebunden
error-invalid-grant-code-key-text = Die Anfrage nannte einen Schlüssel (dpop_jkt) oder wurde mit einem DPoP-Nachweis hinterlegt. Senden Sie dem Token-Endpunkt einen Nachweis mit diesem Schlüssel.
error-invalid-grant-refresh-token-key = Der Refresh-Token ist an einen Schlüssel oder ein Zertifikat gebunden
error-invalid-grant-refresh-token-key-text = Er gehört einem Client ohne Anmeldung, den nur sein Schlüssel oder Zertifikat ausweist. Senden Sie einen DPoP-Nachweis mit demselben Schlüssel, oder verbinden Sie sich mit demselben Zertifikat.
error-invalid-grant-other-client = Der Token gehört einem anderen Client
error-invalid-grant-other-client-text = Nur der Client, dem ein Token ausgestellt wurde, darf ihn widerrufen.

## unsupported_grant_type
error-unsupported-grant-type = Der Server gibt für diesen Grant-Typ niemandem Token.
error-unsupported-grant-type-grant-type = Es gibt drei Grant-Typen
error-unsupported-grant-type-grant-type-text = authorization_code, refresh_token und client_credentials. Den Passwort-Grant gibt es nicht mehr: Eine App sieht nie ein Passwort.

## unsupported_token_type
error-unsupported-token-type = Token dieser Art können nicht widerrufen werden.
error-unsupported-token-type-revocation = Access- und Refresh-Token können widerrufen werden
error-unsupported-token-type-revocation-text = Widerrufen Sie den Refresh-Token; die Access-Token dahinter enden mit ihm. ID-Token können nicht widerrufen werden.

## invalid_scope
error-invalid-scope = Was verlangt wird, gibt es nicht, oder dieser Client darf es nicht verlangen.
error-invalid-scope-scope = Der Scope ist unbekannt, fehlt oder steht diesem Client nicht zu
error-invalid-scope-scope-text = Namen unterscheiden Groß- und Kleinschreibung und stehen zwischen einzelnen Leerzeichen. Beim Erneuern darf weniger verlangt werden als vorher, nie mehr. Mit resource passen nur die Scopes dieser Ressource.

## invalid_target
error-invalid-target = Die Ressource gibt es nicht, oder sie passt nicht zum Rest der Anfrage.
error-invalid-target-resource = Die Ressource ist unbekannt oder nicht gewährt
error-invalid-target-resource-text = resource ist die registrierte URI der API, Zeichen für Zeichen. Eine Anfrage kann mehrere nur nennen, wenn deren Token dasselbe Format haben.

## invalid_token
error-invalid-token = Der Access-Token fehlt, ist unbekannt, abgelaufen oder widerrufen.
error-invalid-token-token = Holen Sie einen neuen
error-invalid-token-token-text = Erneuern Sie, oder schicken Sie die Person zum Authorization-Endpunkt. Senden Sie denselben Token nicht noch einmal: Er wird nicht wieder gültig.
error-invalid-token-bound = Der Token ist an einen Schlüssel oder ein Zertifikat gebunden
error-invalid-token-bound-text = Sein token_type sagt, wie er gesendet wird: als DPoP mit einem neuen Nachweis je Anfrage, gemacht mit dem Schlüssel, für den er ausgestellt wurde; oder als Bearer über eine TLS-Verbindung mit dem Zertifikat des Clients.

## insufficient_scope
error-insufficient-scope = Der Access-Token gilt, aber nicht hierfür.
error-insufficient-scope-openid = Userinfo braucht den Scope openid
error-insufficient-scope-openid-text = Verlangen Sie openid in der Autorisierungsanfrage, dazu profile, email und andere für das, was Sie wissen müssen.

## temporarily_unavailable
error-temporarily-unavailable = Die Anfrage ist in Ordnung und wird später beantwortet.
error-temporarily-unavailable-too-many-requests = Es kamen zu viele Anfragen (429)
error-temporarily-unavailable-too-many-requests-text = Warten Sie so viele Sekunden, wie Retry-After sagt; dann wird dieselbe Anfrage angenommen. RateLimit-Policy nennt die Grenze. Behalten Sie Token, bis sie ablaufen, statt für jeden Aufruf einen zu holen.
error-temporarily-unavailable-fault = Der Server konnte nicht (503)
error-temporarily-unavailable-fault-text = Es wurde nichts entschieden. Versuchen Sie es nach Retry-After wieder, mit wachsenden Pausen; bleibt es so, nennen Sie dem Institut die x-request-id.

## invalid_dpop_proof
error-invalid-dpop-proof = Der DPoP-Nachweis fehlt, ist falsch oder für eine andere Anfrage gemacht.
error-invalid-dpop-proof-missing = Der Nachweis fehlt
error-invalid-dpop-proof-missing-text = Der Access-Token ist an einen Schlüssel gebunden. Senden Sie ihn mit einem DPoP-Header, dessen Nachweis für jede Anfrage neu ist.
error-invalid-dpop-proof-proof = Der Nachweis ist nicht so, wie der Standard ihn verlangt
error-invalid-dpop-proof-proof-text = Ein JWT mit typ dpop+jwt, signiert mit PS256, ES256 oder EdDSA, mit dem öffentlichen Schlüssel als jwk im Header und den Claims jti, htm, htu und iat. Der private Schlüssel gehört nie hinein: Ersetzen Sie einen, der gesendet wurde.
error-invalid-dpop-proof-proof-time = Der Nachweis ist nicht von jetzt
error-invalid-dpop-proof-proof-time-text = iat steht in Sekunden und liegt höchstens eine Minute neben der Uhr dieses Servers. Machen Sie für jede Anfrage einen Nachweis, und stellen Sie die Uhr der Maschine nach NTP.
error-invalid-dpop-proof-proof-target = Der Nachweis gilt einer anderen Anfrage
error-invalid-dpop-proof-proof-target-text = htm ist die Methode, htu die aufgerufene Adresse ohne Query und Fragment, wie die Metadaten sie nennen. Hinter einem Proxy zählt die äußere Adresse.
error-invalid-dpop-proof-proof-token = Der Nachweis gilt einem anderen Token
error-invalid-dpop-proof-proof-token-text = Zusammen mit einem Access-Token enthält der Nachweis ath: den base64url-SHA-256 des Tokens. Signiert wird mit dem Schlüssel, für den der Token ausgestellt wurde.
error-invalid-dpop-proof-proof-key = dpop_jkt nennt einen anderen Schlüssel
error-invalid-dpop-proof-proof-key-text = Eine hinterlegte Anfrage mit Nachweis ist an dessen Schlüssel gebunden. Lassen Sie dpop_jkt weg, oder senden Sie den Nachweis des Schlüssels, den es nennt.
error-invalid-dpop-proof-proof-replay = Der Nachweis wurde schon benutzt
error-invalid-dpop-proof-proof-replay-text = Jeder Nachweis gilt für eine Anfrage. Machen Sie einen neuen mit neuem jti, auch für eine Wiederholung.

## use_dpop_nonce
error-use-dpop-nonce = Der Nachweis muss eine Nonce dieses Servers enthalten.
error-use-dpop-nonce-nonce = Wiederholen Sie die Anfrage mit der Nonce
error-use-dpop-nonce-nonce-text = Nehmen Sie die Nonce aus dem Header DPoP-Nonce dieser Antwort, machen Sie damit einen neuen Nachweis und senden Sie die Anfrage noch einmal. Behalten Sie die neueste Nonce für das Weitere; die meisten Bibliotheken tun das von selbst.

## invalid_request_object
error-invalid-request-object = Die signierte Anfrage ist nicht so, wie die Standards sie verlangen, oder nicht von diesem Client signiert.
error-invalid-request-object-request-object = Das Request Object wird abgelehnt
error-invalid-request-object-request-object-text = Signieren Sie mit PS256, ES256 oder EdDSA unter einem registrierten Schlüssel; iss und client_id sind der Client, aud ist der Issuer dieses Servers, nbf ist jetzt, exp höchstens 60 Minuten später. Alle Parameter stehen darin, request und request_uri nicht.

## invalid_authorization_details
error-invalid-authorization-details = Die Autorisierungsdetails (RFC 9396) sind nicht so, wie dieser Server sie annimmt.
error-invalid-authorization-details-type = Der Typ ist für den Client nicht registriert
error-invalid-authorization-details-type-text = Welche Typen es gibt, steht in den Metadaten unter authorization_details_types_supported. Ein Client darf die benutzen, die das Institut für ihn registriert hat; bitten Sie um den, der fehlt.
error-invalid-authorization-details-members = Ein Feld ist unbekannt, fehlt oder hat eine andere Form
error-invalid-authorization-details-members-text = Jeder Typ hat ein Schema. Die Beschreibung nennt das Feld; Felder, die das Schema nicht kennt, werden abgelehnt und nicht übergangen.
error-invalid-authorization-details-api = Der Typ gehört zu einer anderen API
error-invalid-authorization-details-api-text = Details reisen in Tokens für die APIs, für die ihr Typ registriert ist. Lassen Sie resource weg oder nennen Sie eine solche API; gilt der Typ für jede API, bitten Sie dazu um einen Scope der gemeinten.
error-invalid-authorization-details-widened = Die Token-Anfrage verlangt mehr, als erteilt wurde
error-invalid-authorization-details-widened-text = Am Token-Endpunkt wählt authorization_details unter denen aus, denen die Person zugestimmt hat, Feld für Feld. Für alles andere schicken Sie die Person noch einmal zum Authorization-Endpunkt.
error-invalid-authorization-details-alone = Dem Typ muss eine Person zustimmen
error-invalid-authorization-details-alone-text = Bei client_credentials wird niemand gefragt. Das Institut legt fest, welche Typen ein Client so benutzen darf; für alle anderen schicken Sie die Person zum Authorization-Endpunkt.
