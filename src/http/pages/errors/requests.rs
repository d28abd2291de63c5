//! Errors of authorization requests.

use rules::protocol::ErrorCode;

use super::{Explained, Spec, Topic};

pub(super) const ALL: [Explained; 12] = [
    Explained {
        code: ErrorCode::InvalidRequest,
        means: |say| say.error_invalid_request(),
        spec: Spec(
            "RFC 6749 §4.1.2.1",
            "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
        ),
        topics: &[
            Topic {
                id: "redirect-uri",
                title: |say| say.error_invalid_request_redirect_uri(),
                text: |say| say.error_invalid_request_redirect_uri_text(),
                spec: Spec(
                    "RFC 9700 §2.1",
                    "https://www.rfc-editor.org/rfc/rfc9700#section-2.1",
                ),
                wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=https%3A%2F%2Fapp.example%2Fother\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
                right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
            },
            Topic {
                id: "client-id",
                title: |say| say.error_invalid_request_client_id(),
                text: |say| say.error_invalid_request_client_id_text(),
                spec: Spec(
                    "RFC 6749 §4.1.1",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1",
                ),
                wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=somebody\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
                right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
            },
            Topic {
                id: "pkce",
                title: |say| say.error_invalid_request_pkce(),
                text: |say| say.error_invalid_request_pkce_text(),
                spec: Spec(
                    "RFC 7636 §4.3",
                    "https://www.rfc-editor.org/rfc/rfc7636#section-4.3",
                ),
                wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE",
                right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
            },
            Topic {
                id: "missing-parameter",
                title: |say| say.error_invalid_request_missing_parameter(),
                text: |say| say.error_invalid_request_missing_parameter_text(),
                spec: Spec(
                    "RFC 6749 §5.2",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
                ),
                wrong: "POST /introspect\n\
             Authorization: Basic BASIC\n\
             \n\
             token_type_hint=access_token",
                right: "POST /introspect\n\
             Authorization: Basic BASIC\n\
             \n\
             token=ACCESS_TOKEN",
            },
            Topic {
                id: "repeated-parameter",
                title: |say| say.error_invalid_request_repeated_parameter(),
                text: |say| say.error_invalid_request_repeated_parameter_text(),
                spec: Spec(
                    "RFC 6749 §3.2",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-3.2",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE\n\
             &scope=SCOPE",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            },
            Topic {
                id: "encoding",
                title: |say| say.error_invalid_request_encoding(),
                text: |say| say.error_invalid_request_encoding_text(),
                spec: Spec(
                    "RFC 6749 §B",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-B",
                ),
                wrong: r#"POST /token
Authorization: Basic BASIC
Content-Type: application/json

{"grant_type": "client_credentials"}"#,
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             Content-Type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            },
            Topic {
                id: "two-methods",
                title: |say| say.error_invalid_request_two_methods(),
                text: |say| say.error_invalid_request_two_methods_text(),
                spec: Spec(
                    "RFC 6749 §2.3",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-2.3",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE\n\
             &client_id=CLIENT_ID\n\
             &client_secret=CLIENT_SECRET",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
            },
            Topic {
                id: "prompt",
                title: |say| say.error_invalid_request_prompt(),
                text: |say| say.error_invalid_request_prompt_text(),
                spec: Spec(
                    "OpenID Connect Core §3.1.2.1",
                    "https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest",
                ),
                wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &prompt=none%20login",
                right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &prompt=login",
            },
            Topic {
                id: "missing-proof",
                title: |say| say.error_invalid_request_missing_proof(),
                text: |say| say.error_invalid_request_missing_proof_text(),
                spec: Spec(
                    "RFC 9449 §5.2",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-5.2",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "certificate",
                title: |say| say.error_invalid_request_certificate(),
                text: |say| say.error_invalid_request_certificate_text(),
                spec: Spec(
                    "RFC 8705 §3.4",
                    "https://www.rfc-editor.org/rfc/rfc8705#section-3.4",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "not-pushed",
                title: |say| say.error_invalid_request_not_pushed(),
                text: |say| say.error_invalid_request_not_pushed_text(),
                spec: Spec(
                    "RFC 9126 §6",
                    "https://www.rfc-editor.org/rfc/rfc9126#section-6",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "signed-request",
                title: |say| say.error_invalid_request_signed_request(),
                text: |say| say.error_invalid_request_signed_request_text(),
                spec: Spec(
                    "RFC 9101 §10.5",
                    "https://www.rfc-editor.org/rfc/rfc9101#section-10.5",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "pushed-request-uri",
                title: |say| say.error_invalid_request_pushed_request_uri(),
                text: |say| say.error_invalid_request_pushed_request_uri_text(),
                spec: Spec(
                    "RFC 9126 §2.1",
                    "https://www.rfc-editor.org/rfc/rfc9126#section-2.1",
                ),
                wrong: "POST /par\n\
             Authorization: Basic BASIC\n\
             \n\
             request_uri=REQUEST_URI",
                right: "POST /par\n\
             Authorization: Basic BASIC\n\
             \n\
             response_type=code\n\
             &redirect_uri=REDIRECT_URI\n\
             &scope=openid\n\
             &code_challenge=CODE_CHALLENGE\n\
             &code_challenge_method=S256",
            },
        ],
    },
    Explained {
        code: ErrorCode::UnsupportedResponseType,
        means: |say| say.error_unsupported_response_type(),
        spec: Spec(
            "RFC 6749 §4.1.2.1",
            "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
        ),
        topics: &[Topic {
            id: "response-type",
            title: |say| say.error_unsupported_response_type_response_type(),
            text: |say| say.error_unsupported_response_type_response_type_text(),
            spec: Spec(
                "RFC 9700 §2.1.2",
                "https://www.rfc-editor.org/rfc/rfc9700#section-2.1.2",
            ),
            wrong: "GET /authorize?response_type=token\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
            right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
        }],
    },
    Explained {
        code: ErrorCode::AccessDenied,
        means: |say| say.error_access_denied(),
        spec: Spec(
            "RFC 6749 §4.1.2.1",
            "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
        ),
        topics: &[Topic {
            id: "no",
            title: |say| say.error_access_denied_no(),
            text: |say| say.error_access_denied_no_text(),
            spec: Spec(
                "RFC 6749 §4.1.2.1",
                "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::LoginRequired,
        means: |say| say.error_login_required(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "prompt-none",
            title: |say| say.error_login_required_prompt_none(),
            text: |say| say.error_login_required_prompt_none_text(),
            spec: Spec(
                "OpenID Connect Core §3.1.2.1",
                "https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest",
            ),
            wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &prompt=none",
            right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
        }],
    },
    Explained {
        code: ErrorCode::ConsentRequired,
        means: |say| say.error_consent_required(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "prompt-none",
            title: |say| say.error_consent_required_prompt_none(),
            text: |say| say.error_consent_required_prompt_none_text(),
            spec: Spec(
                "OpenID Connect Core §3.1.2.1",
                "https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest",
            ),
            wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &prompt=none",
            right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
        }],
    },
    Explained {
        code: ErrorCode::InteractionRequired,
        means: |say| say.error_interaction_required(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "prompt-none",
            title: |say| say.error_interaction_required_prompt_none(),
            text: |say| say.error_interaction_required_prompt_none_text(),
            spec: Spec(
                "OpenID Connect Core §3.1.2.1",
                "https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::UnmetAuthenticationRequirements,
        means: |say| say.error_unmet_authentication_requirements(),
        spec: Spec(
            "OpenID Connect Core Error Code",
            "https://openid.net/specs/openid-connect-unmet-authentication-requirements-1_0.html",
        ),
        topics: &[Topic {
            id: "acr",
            title: |say| say.error_unmet_authentication_requirements_acr(),
            text: |say| say.error_unmet_authentication_requirements_acr_text(),
            spec: Spec(
                "OpenID Connect Core §5.5.1.1",
                "https://openid.net/specs/openid-connect-core-1_0.html#acrSemantics",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::InvalidRequestUri,
        means: |say| say.error_invalid_request_uri(),
        spec: Spec(
            "RFC 9126 §2.2",
            "https://www.rfc-editor.org/rfc/rfc9126#section-2.2",
        ),
        topics: &[Topic {
            id: "expired",
            title: |say| say.error_invalid_request_uri_expired(),
            text: |say| say.error_invalid_request_uri_expired_text(),
            spec: Spec(
                "RFC 9126 §4",
                "https://www.rfc-editor.org/rfc/rfc9126#section-4",
            ),
            wrong: "GET /authorize?client_id=CLIENT_ID\n\
             \x20 &request_uri=urn:ietf:params:oauth:request_uri:old",
            right: "GET /authorize?client_id=CLIENT_ID\n\
             \x20 &request_uri=REQUEST_URI",
        }],
    },
    Explained {
        code: ErrorCode::RequestNotSupported,
        means: |say| say.error_request_not_supported(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "request-object",
            title: |say| say.error_request_not_supported_request_object(),
            text: |say| say.error_request_not_supported_request_object_text(),
            spec: Spec(
                "RFC 9126 §1",
                "https://www.rfc-editor.org/rfc/rfc9126#section-1",
            ),
            wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &request=eyJhbGciOiJub25lIn0.e30.",
            right: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256",
        }],
    },
    Explained {
        code: ErrorCode::RequestUriNotSupported,
        means: |say| say.error_request_uri_not_supported(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "pushed",
            title: |say| say.error_request_uri_not_supported_pushed(),
            text: |say| say.error_request_uri_not_supported_pushed_text(),
            spec: Spec(
                "RFC 9126 §2",
                "https://www.rfc-editor.org/rfc/rfc9126#section-2",
            ),
            wrong: "GET /authorize?response_type=code\n\
             \x20 &client_id=CLIENT_ID\n\
             \x20 &redirect_uri=REDIRECT_URI\n\
             \x20 &scope=openid\n\
             \x20 &code_challenge=CODE_CHALLENGE\n\
             \x20 &code_challenge_method=S256\n\
             \x20 &request_uri=https%3A%2F%2Fapp.example%2Frequest",
            right: "GET /authorize?client_id=CLIENT_ID\n\
             \x20 &request_uri=REQUEST_URI",
        }],
    },
    Explained {
        code: ErrorCode::RegistrationNotSupported,
        means: |say| say.error_registration_not_supported(),
        spec: Spec(
            "OpenID Connect Core §3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        ),
        topics: &[Topic {
            id: "registration",
            title: |say| say.error_registration_not_supported_registration(),
            text: |say| say.error_registration_not_supported_registration_text(),
            spec: Spec(
                "OpenID Connect Core §7.2.1",
                "https://openid.net/specs/openid-connect-core-1_0.html#RegistrationParameter",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::InvalidAuthorizationDetails,
        means: |say| say.error_invalid_authorization_details(),
        spec: Spec(
            "RFC 9396 §5",
            "https://www.rfc-editor.org/rfc/rfc9396#section-5",
        ),
        topics: &[
            Topic {
                id: "type",
                title: |say| say.error_invalid_authorization_details_type(),
                text: |say| say.error_invalid_authorization_details_type_text(),
                spec: Spec(
                    "RFC 9396 §5",
                    "https://www.rfc-editor.org/rfc/rfc9396#section-5",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "members",
                title: |say| say.error_invalid_authorization_details_members(),
                text: |say| say.error_invalid_authorization_details_members_text(),
                spec: Spec(
                    "RFC 9396 §5",
                    "https://www.rfc-editor.org/rfc/rfc9396#section-5",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "api",
                title: |say| say.error_invalid_authorization_details_api(),
                text: |say| say.error_invalid_authorization_details_api_text(),
                spec: Spec(
                    "RFC 9396 §5",
                    "https://www.rfc-editor.org/rfc/rfc9396#section-5",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "widened",
                title: |say| say.error_invalid_authorization_details_widened(),
                text: |say| say.error_invalid_authorization_details_widened_text(),
                spec: Spec(
                    "RFC 9396 §6.1",
                    "https://www.rfc-editor.org/rfc/rfc9396#section-6.1",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "alone",
                title: |say| say.error_invalid_authorization_details_alone(),
                text: |say| say.error_invalid_authorization_details_alone_text(),
                spec: Spec(
                    "RFC 9396 §6",
                    "https://www.rfc-editor.org/rfc/rfc9396#section-6",
                ),
                wrong: "",
                right: "",
            },
        ],
    },
];
