//! Encrypted tokens: other libraries open what is encrypted here, and what they encrypt is opened.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::jose::jwe::{self, DecryptionKey, Enc, KeyAlg};
use serde_json::{Value, json};

use super::program;
use crate::support::template::Directory;

#[tokio::test]
async fn npm_jose_and_this_server_open_each_others_encrypted_tokens() {
    both_ways("jwe.mjs").await;
}

#[tokio::test]
async fn joserfc_and_this_server_open_each_others_encrypted_tokens() {
    both_ways("jwe.py").await;
}

async fn both_ways(script: &str) {
    let keys =
        [KeyAlg::EcdhEs, KeyAlg::RsaOaep256].map(|alg| DecryptionKey::generate(alg).unwrap());
    let ways: Vec<(KeyAlg, Enc)> = KeyAlg::ALL
        .into_iter()
        .flat_map(|alg| Enc::ALL.map(|enc| (alg, enc)))
        .collect();
    let (mut tokens, mut public) = (Vec::new(), Vec::new());
    for (alg, enc) in &ways {
        let key = keys.iter().find(|key| key.fits(*alg)).unwrap();
        let text = format!("by {alg} with {enc}");
        let token =
            jwe::encrypt(text.as_bytes(), key.public_jwk(), *alg, *enc, Some("JWT")).unwrap();
        let der = STANDARD.encode(key.to_pkcs8().unwrap());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        tokens.push(json!({"token": token, "alg": alg, "pem": pem}));
        public.push(json!({"jwk": key.public_jwk(), "alg": alg, "enc": enc}));
    }
    let folder = Directory::new();
    let write = |name: &str, value: Vec<Value>| {
        let path = folder.path().join(name);
        std::fs::write(&path, Value::from(value).to_string()).unwrap();
        path
    };
    let mut command = program::command(script);
    command
        .env("TOKENS", write("tokens.json", tokens))
        .env("KEYS", write("keys.json", public));
    let printed: Value = serde_json::from_str(&program::output(command).await).unwrap();
    for (at, (alg, enc)) in ways.iter().enumerate() {
        let opened = &printed["opened"][at];
        assert_eq!(opened["text"], format!("by {alg} with {enc}"));
        assert_eq!(opened["header"]["cty"], "JWT");
        let token = printed["sealed"][at].as_str().unwrap();
        let read = jwe::decrypt(token, &keys).unwrap();
        assert_eq!(read.plaintext, format!("for {alg} with {enc}").as_bytes());
        assert_eq!((read.alg, read.enc), (*alg, *enc));
    }
}
