//! Errors of proofs that a key is held (RFC 9449), and of signed requests (RFC 9101).

use rules::protocol::ErrorCode;

use super::{Explained, Spec, Topic};

pub(super) const ALL: [Explained; 3] = [
    Explained {
        code: ErrorCode::InvalidDpopProof,
        means: |say| say.error_invalid_dpop_proof(),
        spec: Spec(
            "RFC 9449 §5",
            "https://www.rfc-editor.org/rfc/rfc9449#section-5",
        ),
        topics: &[
            Topic {
                id: "missing",
                title: |say| say.error_invalid_dpop_proof_missing(),
                text: |say| say.error_invalid_dpop_proof_missing_text(),
                spec: Spec(
                    "RFC 9449 §5.2",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-5.2",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof",
                title: |say| say.error_invalid_dpop_proof_proof(),
                text: |say| say.error_invalid_dpop_proof_proof_text(),
                spec: Spec(
                    "RFC 9449 §4.2",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-4.2",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof-time",
                title: |say| say.error_invalid_dpop_proof_proof_time(),
                text: |say| say.error_invalid_dpop_proof_proof_time_text(),
                spec: Spec(
                    "RFC 9449 §11.1",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-11.1",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof-target",
                title: |say| say.error_invalid_dpop_proof_proof_target(),
                text: |say| say.error_invalid_dpop_proof_proof_target_text(),
                spec: Spec(
                    "RFC 9449 §4.3",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-4.3",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof-token",
                title: |say| say.error_invalid_dpop_proof_proof_token(),
                text: |say| say.error_invalid_dpop_proof_proof_token_text(),
                spec: Spec(
                    "RFC 9449 §7.1",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-7.1",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof-key",
                title: |say| say.error_invalid_dpop_proof_proof_key(),
                text: |say| say.error_invalid_dpop_proof_proof_key_text(),
                spec: Spec(
                    "RFC 9449 §10.1",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-10.1",
                ),
                wrong: "",
                right: "",
            },
            Topic {
                id: "proof-replay",
                title: |say| say.error_invalid_dpop_proof_proof_replay(),
                text: |say| say.error_invalid_dpop_proof_proof_replay_text(),
                spec: Spec(
                    "RFC 9449 §11.1",
                    "https://www.rfc-editor.org/rfc/rfc9449#section-11.1",
                ),
                wrong: "",
                right: "",
            },
        ],
    },
    Explained {
        code: ErrorCode::UseDpopNonce,
        means: |say| say.error_use_dpop_nonce(),
        spec: Spec(
            "RFC 9449 §8",
            "https://www.rfc-editor.org/rfc/rfc9449#section-8",
        ),
        topics: &[Topic {
            id: "nonce",
            title: |say| say.error_use_dpop_nonce_nonce(),
            text: |say| say.error_use_dpop_nonce_nonce_text(),
            spec: Spec(
                "RFC 9449 §8",
                "https://www.rfc-editor.org/rfc/rfc9449#section-8",
            ),
            wrong: "",
            right: "",
        }],
    },
    Explained {
        code: ErrorCode::InvalidRequestObject,
        means: |say| say.error_invalid_request_object(),
        spec: Spec(
            "RFC 9101 §6.3",
            "https://www.rfc-editor.org/rfc/rfc9101#section-6.3",
        ),
        topics: &[Topic {
            id: "request-object",
            title: |say| say.error_invalid_request_object_request_object(),
            text: |say| say.error_invalid_request_object_request_object_text(),
            spec: Spec(
                "RFC 9101 §4",
                "https://www.rfc-editor.org/rfc/rfc9101#section-4",
            ),
            wrong: "",
            right: "",
        }],
    },
];
