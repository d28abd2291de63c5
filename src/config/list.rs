//! Settings with several values: a list in the file, values between commas in the environment.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IntoDeserializer, SeqAccess, Visitor};

/// Reads either form.
///
/// # Errors
/// When it is neither.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Several(PhantomData))
}

struct Several<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Several<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or values between commas")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        let values = text.split(',').map(str::trim);
        values
            .filter(|value| !value.is_empty())
            .map(|value| T::deserialize(value.into_deserializer()))
            .collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = all.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::super::file::environment;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Probe {
        password: String,
        phone: String,
        port: u16,
        on: bool,
        rate: Option<u32>,
        #[serde(deserialize_with = "super::list")]
        peers: Vec<String>,
    }

    #[test]
    fn the_environment_is_read_as_what_each_setting_is() {
        let set = [
            ("PASSWORD", "0012"),
            ("PHONE", "+41441234567"),
            ("PORT", "8443"),
            ("ON", "true"),
            ("RATE", "7"),
            ("PEERS", "10.0.0.1, 10.0.0.2,"),
        ];
        let set: HashMap<String, String> = set
            .into_iter()
            .map(|(name, value)| (format!("COUNTERSIGN__{name}"), value.to_owned()))
            .collect();
        let read: Probe = config::Config::builder()
            .add_source(environment().source(Some(set)))
            .build()
            .and_then(config::Config::try_deserialize)
            .unwrap();
        let expected = Probe {
            password: "0012".to_owned(),
            phone: "+41441234567".to_owned(),
            port: 8443,
            on: true,
            rate: Some(7),
            peers: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_list_in_the_file_is_a_list() {
        let text = "peers = [\"a, b\", \"c\"]\npassword = \"\"\nphone = \"\"\nport = 1\non = false";
        let read: Probe = config::Config::builder()
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize)
            .unwrap();
        assert_eq!(read.peers, ["a, b", "c"]);
    }
}
