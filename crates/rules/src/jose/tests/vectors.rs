//! The vectors of RFC 7515, 7638 and 8037.

use serde_json::Map;

use super::*;

/// RFC 7515 §A.1: the payload of all its examples.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515 §A.2.
pub(super) const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515 §A.3.
pub(super) const A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const A3_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const A3_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

/// RFC 7638 §3.1.
const THUMBPRINT_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

/// RFC 8037 §A.1 to §A.4.
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_INPUT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const ED_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn rfc_7515_a_2_rs256_verifies() {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{A2_SIGNATURE}");
    let keys = set(&json!({"kty": "RSA", "n": A2_N, "e": "AQAB"}));
    let verified = verify(&token, &[Alg::Rs256], &keys).unwrap();
    assert_eq!(verified.payload["iss"], "joe");
    assert_eq!(verified.header.alg, Alg::Rs256);
    assert_eq!(verified.header.kid, None);
    assert_eq!(verified.thumbprint, keys.keys()[0].thumbprint());
}

#[test]
fn rfc_7515_a_3_es256_verifies() {
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{A3_SIGNATURE}");
    let keys = JwkSet::from(Jwk::from_json(A3_KEY.as_bytes()).unwrap());
    let verified = verify(&token, &[Alg::Ps256, Alg::Es256], &keys).unwrap();
    assert_eq!(verified.payload["exp"], 1_300_819_380);
}

#[test]
fn rfc_7515_a_3_private_key_gives_its_public_key() {
    let public = Jwk::from_json(A3_KEY.as_bytes()).unwrap();
    let members: Map<String, Value> = serde_json::from_str(A3_KEY).unwrap();
    let point = [
        b64(members["x"].as_str().unwrap()),
        b64(members["y"].as_str().unwrap()),
    ]
    .concat();
    let prefix = b64("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg");
    let der = [prefix, b64(A3_D), vec![0xa1, 0x44, 0x03, 0x42, 0, 4], point].concat();
    let key = SigningKey::from_pkcs8(Alg::Es256, &der).unwrap();
    assert_eq!(key.kid(), public.thumbprint());
    let token = key.sign(None, &json!({"a": 1})).unwrap();
    assert!(verify(&token, &[Alg::Es256], &JwkSet::from(public)).is_ok());
}

#[test]
fn rfc_7638_3_1_thumbprint_is_reproduced() {
    let jwk = json!({
        "kty": "RSA", "n": THUMBPRINT_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    });
    let jwk: Jwk = serde_json::from_value(jwk).unwrap();
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(jwk.thumbprint(), expected);
    assert_eq!(jwk.kid(), Some("2011-04-29"));
    assert_eq!(jwk.alg(), Some(Alg::Rs256));
}

#[test]
fn rfc_8037_a_keys_thumbprint_and_signature_are_reproduced() {
    let prefix = b64("MC4CAQAwBQYDK2VwBCIEIA");
    let der = [prefix, b64(ED_D)].concat();
    let key = SigningKey::from_pkcs8(Alg::EdDsa, &der).unwrap();
    let public = serde_json::to_value(key.public_jwk()).unwrap();
    assert_eq!(public["x"], ED_X);
    let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(key.kid(), expected);
    let signature = key.sign_message(ED_INPUT.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(&signature), ED_SIGNATURE);
    let jwk = key.public_jwk();
    assert!(jwk.verifies(Alg::EdDsa, ED_INPUT.as_bytes(), &signature));
    assert!(!jwk.verifies(Alg::Es256, ED_INPUT.as_bytes(), &signature));
}
