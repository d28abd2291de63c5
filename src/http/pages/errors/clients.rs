//! Errors of client authentication.

use rules::protocol::ErrorCode;

use super::{Explained, Spec, Topic};

pub(super) const ALL: [Explained; 2] = [
    Explained {
        code: ErrorCode::InvalidClient,
        means: |say| say.error_invalid_client(),
        spec: Spec(
            "RFC 6749 §5.2",
            "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        ),
        topics: &[
            Topic {
                id: "secret",
                title: |say| say.error_invalid_client_secret(),
                text: |say| say.error_invalid_client_secret_text(),
                spec: Spec(
                    "RFC 6749 §2.3.1",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC_WITH_ANOTHER_SECRET\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            },
            Topic {
                id: "header",
                title: |say| say.error_invalid_client_header(),
                text: |say| say.error_invalid_client_header_text(),
                spec: Spec(
                    "RFC 6749 §2.3.1",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1",
                ),
                wrong: "POST /token\n\
             Authorization: Basic CLIENT_ID:CLIENT_SECRET\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            },
            Topic {
                id: "method",
                title: |say| say.error_invalid_client_method(),
                text: |say| say.error_invalid_client_method_text(),
                spec: Spec(
                    "RFC 7591 §2",
                    "https://www.rfc-editor.org/rfc/rfc7591#section-2",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC_OF_A_CLIENT_WITH_A_KEY\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
                right: "POST /token\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE\n\
             &client_assertion_type=\n\
             \x20 urn:ietf:params:oauth:client-assertion-type:jwt-bearer\n\
             &client_assertion=ASSERTION",
            },
            Topic {
                id: "assertion",
                title: |say| say.error_invalid_client_assertion(),
                text: |say| say.error_invalid_client_assertion_text(),
                spec: Spec(
                    "RFC 7523 §3",
                    "https://www.rfc-editor.org/rfc/rfc7523#section-3",
                ),
                wrong: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "exp": IN_60_SECONDS
}"#,
                right: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "A_NEW_ID",
  "exp": IN_60_SECONDS
}"#,
            },
            Topic {
                id: "assertion-audience",
                title: |say| say.error_invalid_client_assertion_audience(),
                text: |say| say.error_invalid_client_assertion_audience_text(),
                spec: Spec(
                    "RFC 7523 §3 · FAPI 2.0 §5.3.2.1",
                    "https://www.rfc-editor.org/rfc/rfc7523#section-3",
                ),
                wrong: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER/token",
  "jti": "A_NEW_ID",
  "exp": IN_60_SECONDS
}"#,
                right: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "A_NEW_ID",
  "exp": IN_60_SECONDS
}"#,
            },
            Topic {
                id: "assertion-time",
                title: |say| say.error_invalid_client_assertion_time(),
                text: |say| say.error_invalid_client_assertion_time_text(),
                spec: Spec(
                    "RFC 7523 §3",
                    "https://www.rfc-editor.org/rfc/rfc7523#section-3",
                ),
                wrong: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "A_NEW_ID",
  "exp": IN_A_DAY
}"#,
                right: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "A_NEW_ID",
  "exp": IN_60_SECONDS
}"#,
            },
            Topic {
                id: "assertion-replay",
                title: |say| say.error_invalid_client_assertion_replay(),
                text: |say| say.error_invalid_client_assertion_replay_text(),
                spec: Spec(
                    "RFC 7523 §3",
                    "https://www.rfc-editor.org/rfc/rfc7523#section-3",
                ),
                wrong: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "AN_ID_USED_BEFORE",
  "exp": IN_60_SECONDS
}"#,
                right: r#"{
  "iss": "CLIENT_ID",
  "sub": "CLIENT_ID",
  "aud": "ISSUER",
  "jti": "A_NEW_ID",
  "exp": IN_60_SECONDS
}"#,
            },
            Topic {
                id: "jwks-uri",
                title: |say| say.error_invalid_client_jwks_uri(),
                text: |say| say.error_invalid_client_jwks_uri_text(),
                spec: Spec(
                    "RFC 7591 §2",
                    "https://www.rfc-editor.org/rfc/rfc7591#section-2",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "certificate",
                title: |say| say.error_invalid_client_certificate(),
                text: |say| say.error_invalid_client_certificate_text(),
                spec: Spec(
                    "RFC 8705 §2",
                    "https://www.rfc-editor.org/rfc/rfc8705#section-2",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "introspection",
                title: |say| say.error_invalid_client_introspection(),
                text: |say| say.error_invalid_client_introspection_text(),
                spec: Spec(
                    "RFC 7662 §2.1",
                    "https://www.rfc-editor.org/rfc/rfc7662#section-2.1",
                ),
                wrong: "POST /introspect\n\
             \n\
             client_id=A_PUBLIC_CLIENT\n\
             &token=ACCESS_TOKEN",
                right: "POST /introspect\n\
             Authorization: Basic BASIC\n\
             \n\
             token=ACCESS_TOKEN",
            },
        ],
    },
    Explained {
        code: ErrorCode::UnauthorizedClient,
        means: |say| say.error_unauthorized_client(),
        spec: Spec(
            "RFC 6749 §5.2",
            "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        ),
        topics: &[Topic {
            id: "grant-type",
            title: |say| say.error_unauthorized_client_grant_type(),
            text: |say| say.error_unauthorized_client_grant_type_text(),
            spec: Spec(
                "RFC 7591 §2",
                "https://www.rfc-editor.org/rfc/rfc7591#section-2",
            ),
            wrong: "POST /token\n\
             Authorization: Basic BASIC_OF_A_CLIENT_WITHOUT_IT\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
        }],
    },
];
