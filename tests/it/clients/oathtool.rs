//! Codes agree with Debian's `oathtool`, which stands for every authenticator app (RFC 6238).

use std::process::Command;

use countersign::totp;
use rules::time::Timestamp;

/// The moments of RFC 6238, appendix B, and both ends of a step.
const MOMENTS: [i64; 8] = [
    59,
    60,
    89,
    1_111_111_109,
    1_111_111_111,
    1_234_567_890,
    2_000_000_000,
    20_000_000_000,
];

/// What the app shows that was given this key.
fn shown(key: &str, at: i64) -> String {
    let program = Command::new("oathtool")
        .args(["--totp", "--base32", key, "--now"])
        .arg(format!("@{at}"))
        .output()
        .expect("oathtool: tests/run installs it");
    assert!(program.status.success(), "{program:?}");
    String::from_utf8(program.stdout).unwrap().trim().to_owned()
}

#[test]
fn codes_agree_with_oathtool() {
    for _ in 0..4 {
        let secret = totp::new_secret().unwrap();
        // As the page shows it to be typed.
        let key = totp::key_groups(&secret).concat();
        for at in MOMENTS {
            let now = Timestamp::from_secs(at);
            let code = shown(&key, at);
            assert_eq!(totp::code_at(&secret, now), code, "at {at}");
            assert_eq!(totp::matched_step(&secret, &code, now), Some(at / 30));
            let next = shown(&key, at + 30);
            assert_eq!(totp::matched_step(&secret, &next, now), Some(at / 30 + 1));
            let late = now.plus(std::time::Duration::from_secs(90));
            assert_eq!(totp::matched_step(&secret, &code, late), None);
        }
    }
}
