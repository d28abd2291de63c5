//! The published example of the format, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

// The published example of the format: key, text and note.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn\
                         NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn published() -> SigningKey {
    let seed = STANDARD.decode(SECRET).unwrap()[1..].try_into().unwrap();
    SigningKey::from_seed(KeyName::parse("PeterNeumann").unwrap(), &seed).unwrap()
}

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::parse(name).unwrap(), &[seed; 32]).unwrap()
}

#[test]
fn the_published_note_is_made_and_opened() {
    let note = format!("{TEXT}\n{SIGNATURE}");
    let verifier: VerifyingKey = VERIFIER.parse().unwrap();
    assert_eq!(verifier.to_string(), VERIFIER);
    assert_eq!(published().verifying_key(), &verifier);
    assert_eq!(published().sign(TEXT).unwrap(), note);
    let keys = [verifier];
    assert_eq!(open(&note, &keys), Ok((TEXT, vec![&keys[0]])));
}

#[test]
fn signatures_by_strangers_are_ignored() {
    let (ours, theirs) = (key("ours.example", 1), key("theirs.example", 2));
    let note = ours.sign("text\n").unwrap();
    let other = theirs.sign("text\n").unwrap();
    let both = format!("{note}{}", &other["text\n\n".len()..]);
    let keys = [ours.verifying_key().clone()];
    assert_eq!(open(&both, &keys).unwrap().1, vec![&keys[0]]);
    assert_eq!(open(&other, &keys), Err(NoteError::Unsigned));
    assert_eq!(open(&both, &[]), Err(NoteError::Unsigned));
}

#[test]
fn a_changed_text_refuses_the_note() {
    let signer = key("ours.example", 1);
    let keys = [signer.verifying_key().clone()];
    let note = signer.sign("size 1\n").unwrap();
    let changed = note.replace("size 1", "size 2");
    assert_eq!(open(&changed, &keys), Err(NoteError::WrongSignature));
}

#[test]
fn a_name_shared_with_another_key_does_not_help() {
    let (ours, namesake) = (key("ours.example", 1), key("ours.example", 2));
    let note = namesake.sign("text\n").unwrap();
    assert_eq!(
        open(&note, &[ours.verifying_key().clone()]),
        Err(NoteError::Unsigned)
    );
}

#[test]
fn empty_lines_may_stand_in_the_text() {
    let signer = key("ours.example", 1);
    let note = signer.sign("one\n\ntwo\n").unwrap();
    let keys = [signer.verifying_key().clone()];
    assert_eq!(open(&note, &keys).unwrap().0, "one\n\ntwo\n");
}

#[test]
fn malformed_notes_are_refused() {
    let signer = key("ours.example", 1);
    let keys = [signer.verifying_key().clone()];
    let note = signer.sign("text\n").unwrap();
    for broken in [
        String::new(),
        "text\n".to_owned(),
        note.trim_end().to_owned(),
        note.replace("\n\n", "\n"),
        note.replace('\u{2014}', "-"),
        note.replace("text", "te\txt"),
        note.replace('\n', "\r\n"),
        format!("{note}\n"),
        format!("{note}trailing\n"),
        "text\n\n\u{2014} ours.example AAAAAA==\n".to_owned(),
        "text\n\n\u{2014} ours.example !!!!\n".to_owned(),
        format!(
            "text\n\n{}",
            "\u{2014} a AAAAAAA=\n".repeat(MAX_SIGNATURES + 1)
        ),
    ] {
        assert_eq!(
            open(&broken, &keys),
            Err(NoteError::Malformed),
            "{broken:?}"
        );
    }
}

#[test]
fn names_and_keys_that_do_not_fit_are_refused() {
    for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb"] {
        assert_eq!(KeyName::parse(name), Err(NoteError::KeyName), "{name:?}");
    }
    for text in [
        "PeterNeumann",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc",
    ] {
        assert_eq!(text.parse::<VerifyingKey>(), Err(NoteError::Key), "{text}");
    }
}

#[test]
fn text_that_could_not_be_read_back_is_not_signed() {
    let signer = key("ours.example", 1);
    for text in ["", "no newline", "tab\t\n"] {
        assert_eq!(signer.sign(text), Err(NoteError::Text));
    }
}

#[test]
fn debug_shows_no_private_key() {
    let shown = format!("{:?}", key("ours.example", 7));
    assert!(!shown.contains("7, 7, 7, 7"), "{shown}");
}
