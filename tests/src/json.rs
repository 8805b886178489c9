//! Log lines as JSON, read more strictly than `serde_json` does.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

/// What this thread logs as JSON while the value lives.
#[derive(Debug, Clone, Default)]
pub struct JsonLog(Arc<Mutex<Vec<u8>>>);

/// How a line is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Fields of the event below `fields`.
    Nested,
    /// Fields of the event beside `level` and `target`.
    Flat,
}

impl JsonLog {
    /// Logs everything from `level` on until the guard is dropped.
    pub fn record(&self, level: &str, layout: Layout) -> tracing::subscriber::DefaultGuard {
        tracing_subscriber::fmt()
            .json()
            .flatten_event(layout == Layout::Flat)
            .with_env_filter(level)
            .with_writer(self.clone())
            .finish()
            .set_default()
    }

    /// The lines so far.
    ///
    /// # Panics
    ///
    /// A line is not JSON, or has a key twice.
    pub fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(strict).collect()
    }
}

impl io::Write for JsonLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for JsonLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Reads JSON in which no object may have a key twice.
///
/// # Panics
///
/// It is not.
pub fn strict(line: &str) -> Value {
    let Strict(value) = serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"));
    value
}

struct Strict(Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Visitor).map(Strict)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(it)) = items.next_element()? {
            values.push(it);
        }
        Ok(values.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, Strict(it))) = entries.next_entry::<String, Strict>()? {
            if map.insert(key.clone(), it).is_some() {
                return Err(serde::de::Error::custom(format!("`{key}` stands there twice")));
            }
        }
        Ok(Value::Object(map.into_iter().collect()))
    }
}
