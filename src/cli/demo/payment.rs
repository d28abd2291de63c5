//! What apps of the demo may ask for beyond scopes, with `--fapi`: one payment (RFC 9396 §2).

use serde_json::{Value, json};

use super::Addresses;

/// The type of such details.
pub const PAYMENT: &str = "payment_initiation";

/// The type as it is configured.
pub fn payment_type(addresses: &Addresses) -> Value {
    let text = |longest: u32| json!({ "type": "string", "minLength": 1, "maxLength": longest });
    let amount = json!({
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {
            "amount": { "type": "string", "pattern": "^[0-9]{1,9}\\.[0-9]{2}$" },
            "currency": { "enum": ["EUR", "CHF", "GBP"] },
        },
    });
    let account = json!({
        "type": "object",
        "required": ["iban"],
        "properties": {
            "iban": { "type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$" },
            "bic": { "type": "string", "pattern": "^[A-Z0-9]{8,11}$" },
        },
    });
    let schema = json!({
        "type": "object",
        "required": ["instructedAmount", "creditorName", "creditorAccount"],
        "properties": {
            "instructedAmount": amount,
            "creditorName": text(70),
            "creditorAccount": account,
            "remittanceInformationUnstructured": text(140),
            "actions": {
                "type": "array",
                "items": { "enum": ["initiate", "status", "cancel"] },
                "uniqueItems": true,
            },
            "locations": { "type": "array", "items": { "type": "string" } },
        },
    });
    let words = |title: &str, lines: [&str; 3]| json!({ "title": title, "lines": lines });
    json!({
        "name": PAYMENT,
        "schema": schema.to_string(),
        "resources": [addresses.resource()],
        "words": {
            "en": words("Make a payment", [
                "{instructedAmount.amount} {instructedAmount.currency} to {creditorName}",
                "To the account {creditorAccount.iban}",
                "Reference: {remittanceInformationUnstructured}",
            ]),
            "de": words("Eine Zahlung ausführen", [
                "{instructedAmount.amount} {instructedAmount.currency} an {creditorName}",
                "Auf das Konto {creditorAccount.iban}",
                "Verwendungszweck: {remittanceInformationUnstructured}",
            ]),
        },
    })
}
