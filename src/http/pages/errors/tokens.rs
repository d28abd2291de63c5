//! Errors at the token endpoint, and of tokens.

use rules::protocol::ErrorCode;

use super::{Explained, Spec, Topic};

pub(super) const ALL: [Explained; 8] = [
    Explained {
        code: ErrorCode::InvalidGrant,
        means: |say| say.error_invalid_grant(),
        spec: Spec(
            "RFC 6749 §5.2",
            "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        ),
        topics: &[
            Topic {
                id: "code",
                title: |say| say.error_invalid_grant_code(),
                text: |say| say.error_invalid_grant_code_text(),
                spec: Spec(
                    "RFC 6749 §4.1.3",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=A_SPENT_CODE\n\
             &redirect_uri=REDIRECT_URI\n\
             &code_verifier=CODE_VERIFIER",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=CODE\n\
             &redirect_uri=REDIRECT_URI\n\
             &code_verifier=CODE_VERIFIER",
            },
            Topic {
                id: "code-verifier",
                title: |say| say.error_invalid_grant_code_verifier(),
                text: |say| say.error_invalid_grant_code_verifier_text(),
                spec: Spec(
                    "RFC 7636 §4.6",
                    "https://www.rfc-editor.org/rfc/rfc7636#section-4.6",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=CODE\n\
             &redirect_uri=REDIRECT_URI\n\
             &code_verifier=ANOTHER_VERIFIER_OF_AT_LEAST_FORTY_THREE_CHARACTERS",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=CODE\n\
             &redirect_uri=REDIRECT_URI\n\
             &code_verifier=CODE_VERIFIER",
            },
            Topic {
                id: "redirect-uri",
                title: |say| say.error_invalid_grant_redirect_uri(),
                text: |say| say.error_invalid_grant_redirect_uri_text(),
                spec: Spec(
                    "RFC 6749 §4.1.3",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=CODE\n\
             &redirect_uri=https%3A%2F%2Fapp.example%2Fother\n\
             &code_verifier=CODE_VERIFIER",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=authorization_code\n\
             &code=CODE\n\
             &redirect_uri=REDIRECT_URI\n\
             &code_verifier=CODE_VERIFIER",
            },
            Topic {
                id: "refresh-token",
                title: |say| say.error_invalid_grant_refresh_token(),
                text: |say| say.error_invalid_grant_refresh_token_text(),
                spec: Spec(
                    "RFC 6749 §6",
                    "https://www.rfc-editor.org/rfc/rfc6749#section-6",
                ),
                wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=refresh_token\n\
             &refresh_token=AN_OLD_ONE",
                right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=refresh_token\n\
             &refresh_token=REFRESH_TOKEN",
            },
            Topic {
                id: "code-key",
                title: |say| say.error_invalid_grant_code_key(),
                text: |say| say.error_invalid_grant_code_key_text(),
                spec: Spec(
                    "RFC 9449 §10",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-10",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "refresh-token-key",
                title: |say| say.error_invalid_grant_refresh_token_key(),
                text: |say| say.error_invalid_grant_refresh_token_key_text(),
                spec: Spec(
                    "RFC 9449 §5",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-5",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "other-client",
                title: |say| say.error_invalid_grant_other_client(),
                text: |say| say.error_invalid_grant_other_client_text(),
                spec: Spec(
                    "RFC 7009 §2.1",
                    "https://www.rfc-editor.org/rfc/rfc7009#section-2.1",
                ),
                wrong: "",
                right: "",
            },
        ],
    },
    Explained {
        code: ErrorCode::UnsupportedGrantType,
        means: |say| say.error_unsupported_grant_type(),
        spec: Spec(
            "RFC 6749 §5.2",
            "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        ),
        topics: &[Topic {
            id: "grant-type",
            title: |say| say.error_unsupported_grant_type_grant_type(),
            text: |say| say.error_unsupported_grant_type_grant_type_text(),
            spec: Spec(
                "RFC 9700 §2.4",
                "https://www.rfc-editor.org/rfc/rfc9700#section-2.4",
            ),
            wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=password\n\
             &username=ada\n\
             &password=PASSWORD",
            right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
        }],
    },
    Explained {
        code: ErrorCode::UnsupportedTokenType,
        means: |say| say.error_unsupported_token_type(),
        spec: Spec(
            "RFC 7009 §2.2.1",
            "https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1",
        ),
        topics: &[Topic {
            id: "revocation",
            title: |say| say.error_unsupported_token_type_revocation(),
            text: |say| say.error_unsupported_token_type_revocation_text(),
            spec: Spec(
                "RFC 7009 §2.1",
                "https://www.rfc-editor.org/rfc/rfc7009#section-2.1",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::InvalidScope,
        means: |say| say.error_invalid_scope(),
        spec: Spec(
            "RFC 6749 §3.3",
            "https://www.rfc-editor.org/rfc/rfc6749#section-3.3",
        ),
        topics: &[Topic {
            id: "scope",
            title: |say| say.error_invalid_scope_scope(),
            text: |say| say.error_invalid_scope_scope_text(),
            spec: Spec(
                "RFC 6749 §3.3",
                "https://www.rfc-editor.org/rfc/rfc6749#section-3.3",
            ),
            wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=everything",
            right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE",
        }],
    },
    Explained {
        code: ErrorCode::InvalidTarget,
        means: |say| say.error_invalid_target(),
        spec: Spec(
            "RFC 8707 §2",
            "https://www.rfc-editor.org/rfc/rfc8707#section-2",
        ),
        topics: &[Topic {
            id: "resource",
            title: |say| say.error_invalid_target_resource(),
            text: |say| say.error_invalid_target_resource_text(),
            spec: Spec(
                "RFC 8707 §2",
                "https://www.rfc-editor.org/rfc/rfc8707#section-2",
            ),
            wrong: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE\n\
             &resource=https%3A%2F%2Fother.example",
            right: "POST /token\n\
             Authorization: Basic BASIC\n\
             \n\
             grant_type=client_credentials\n\
             &scope=SCOPE\n\
             &resource=RESOURCE",
        }],
    },
    Explained {
        code: ErrorCode::InvalidToken,
        means: |say| say.error_invalid_token(),
        spec: Spec(
            "RFC 6750 §3.1",
            "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        ),
        topics: &[
            Topic {
                id: "token",
                title: |say| say.error_invalid_token_token(),
                text: |say| say.error_invalid_token_token_text(),
                spec: Spec(
                    "RFC 6750 §2.1",
                    "https://www.rfc-editor.org/rfc/rfc6750#section-2.1",
                ),
                wrong: "GET /userinfo\n\
             Authorization: Bearer AN_OLD_TOKEN",
                right: "GET /userinfo\n\
             Authorization: Bearer ACCESS_TOKEN",
            },
            Topic {
                id: "bound",
                title: |say| say.error_invalid_token_bound(),
                text: |say| say.error_invalid_token_bound_text(),
                spec: Spec(
                    "RFC 9449 §7.2",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-7.2",
                ),
                wrong: "",
                right: "",
            },
        ],
    },
    Explained {
        code: ErrorCode::InsufficientScope,
        means: |say| say.error_insufficient_scope(),
        spec: Spec(
            "RFC 6750 §3.1",
            "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        ),
        topics: &[Topic {
            id: "openid",
            title: |say| say.error_insufficient_scope_openid(),
            text: |say| say.error_insufficient_scope_openid_text(),
            spec: Spec(
                "OpenID Connect Core §5.3",
                "https://openid.net/specs/openid-connect-core-1_0.html#UserInfo",
            ),
            wrong: "GET /userinfo\n\
             Authorization: Bearer A_TOKEN_WITHOUT_OPENID",
            right: "GET /userinfo\n\
             Authorization: Bearer ACCESS_TOKEN",
        }],
    },
    Explained {
        code: ErrorCode::TemporarilyUnavailable,
        means: |say| say.error_temporarily_unavailable(),
        spec: Spec(
            "RFC 6749 §4.1.2.1",
            "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
        ),
        topics: &[
            Topic {
                id: "too-many-requests",
                title: |say| say.error_temporarily_unavailable_too_many_requests(),
                text: |say| say.error_temporarily_unavailable_too_many_requests_text(),
                spec: Spec(
                    "RFC 6585 §4",
                    "https://www.rfc-editor.org/rfc/rfc6585#section-4",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "fault",
                title: |say| say.error_temporarily_unavailable_fault(),
                text: |say| say.error_temporarily_unavailable_fault_text(),
                spec: Spec(
                    "RFC 9110 §15.6.4",
                    "https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4",
                ),
                wrong: "",
                right: "",
            },
        ],
    },
];
