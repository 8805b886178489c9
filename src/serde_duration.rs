//! Durations in JSON: seconds, with a fraction.

use std::time::Duration;

use serde::{Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(it: &Duration, to: S) -> Result<S::Ok, S::Error> {
    it.as_secs_f64().serialize(to)
}

pub(crate) mod maybe {
    use super::{Duration, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        it: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        it.map(|it| it.as_secs_f64()).serialize(to)
    }

    #[cfg(feature = "admin")]
    pub(crate) fn deserialize<'a, D: serde::Deserializer<'a>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds: Option<f64> = serde::Deserialize::deserialize(from)?;
        Ok(seconds.and_then(|it| Duration::try_from_secs_f64(it).ok()))
    }
}
