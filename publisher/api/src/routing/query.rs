//! Query parameters with a syntax of their own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

/// Values of an enumeration, separated by commas; an empty list stands for all values.
#[derive(Clone, Debug)]
pub(crate) struct WordList<T>(pub(crate) Vec<T>);

impl<T> Default for WordList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> WordList<T> {
    /// True if the list contains `word` or is empty.
    pub(crate) fn includes(&self, word: &T) -> bool {
        self.0.is_empty() || self.0.contains(word)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for WordList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = text.split(',').filter(|word| !word.is_empty());
        let parse = |word| T::deserialize(StrDeserializer::<D::Error>::new(word));
        words.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for WordList<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("WordsOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": word })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounded<const DEFAULT: u32, const MOST: u32>(u32);

impl<const DEFAULT: u32, const MOST: u32> Bounded<DEFAULT, MOST> {
    pub(crate) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const DEFAULT: u32, const MOST: u32> Default for Bounded<DEFAULT, MOST> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u32, const MOST: u32> Deserialize<'de> for Bounded<DEFAULT, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if (1..=MOST).contains(&number) {
            return Ok(Self(number));
        }
        Err(D::Error::custom(format!("give a number from 1 to {MOST}")))
    }
}

impl<const DEFAULT: u32, const MOST: u32> JsonSchema for Bounded<DEFAULT, MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("UpTo{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT })
    }
}
