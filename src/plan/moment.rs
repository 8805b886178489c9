//! Moments as PostgreSQL prints them in UTC, to and from [`SystemTime`].

#![cfg_attr(not(feature = "cli"), allow(unreachable_pub, reason = "the feature needs it"))]

use std::{
    fmt,
    time::{Duration, SystemTime},
};

const SECONDS_A_DAY: u64 = 86_400;

/// Prints a moment in UTC, to the second: `2026-11-24 14:00:00`.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let (year, month, day) = date(since / SECONDS_A_DAY);
        let second = since % SECONDS_A_DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        f.pad(&format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
    }
}

/// Reads `2026-11-24 14:00:00`, with a `T` in place of the space, with a fraction of a second and
/// with a `Z` or without; `None` if it is another text, or a moment before 1970.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' '])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_valid || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)? * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
    let since = Duration::from_secs(seconds) + Duration::from_micros(micros(fraction)?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let numbers: Option<Vec<_>> = text.split(separator).map(|it| it.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// The digits behind the point, as microseconds.
fn micros(fraction: &str) -> Option<u64> {
    match fraction.len() {
        0 => Some(0),
        digits @ 1..=6 => {
            Some(fraction.parse::<u64>().ok()? * 10_u64.pow(6 - u32::try_from(digits).ok()?))
        }
        _ => None,
    }
}

/// The days from 1970-01-01 to a date of the Gregorian calendar; see
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// The date that is so many days after 1970-01-01; the inverse of [`days`].
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(feature = "serde")]
pub(crate) mod serde_utc {
    //! A moment in JSON: to the second, in UTC.

    use std::time::SystemTime;

    use serde::{Serialize, Serializer};

    use super::Utc;

    pub(crate) fn serialize<S: Serializer>(it: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Utc(*it))
    }

    pub(crate) mod maybe {
        use super::{Serialize, Serializer, SystemTime, Utc};

        #[expect(clippy::ref_option, reason = "serde calls it so")]
        pub(crate) fn serialize<S: Serializer>(
            it: &Option<SystemTime>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            it.map(|it| Utc(it).to_string()).serialize(to)
        }
    }
}

#[cfg(feature = "admin")]
pub(crate) mod serde_rfc3339 {
    //! A moment in JSON as RFC 3339 has it: in UTC, with microseconds.

    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Utc;

    pub(crate) fn serialize<S: Serializer>(it: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        let micros = it.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = micros.subsec_micros();
        to.collect_str(&format!("{}.{micros:06}Z", Utc(*it)).replace(' ', "T"))
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        super::parse(&text).ok_or_else(|| D::Error::custom("not a moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        let check = |text: &str, seconds: u64| {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse(text), Some(moment), "{text}");
            assert_eq!(Utc(moment).to_string(), text);
        };
        check("1970-01-01 00:00:00", 0);
        check("2000-02-29 23:59:59", 951_868_799);
        check("2026-11-24 14:00:00", 1_795_528_800);
        check("2100-03-01 00:00:00", 4_107_542_400);
    }

    #[test]
    fn reads_fractions_and_rfc_3339() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(parse("1970-01-01T00:00:01.500000Z"), Some(moment));
        assert_eq!(parse("1970-01-01 00:00:01.5"), Some(moment));
    }

    #[test]
    fn refuses_other_texts() {
        for it in ["", "infinity", "2026-11-24", "2026-13-01 00:00:00", "1969-12-31 00:00:00"] {
            assert_eq!(parse(it), None, "{it}");
        }
    }
}
