//! Points: what can be tried, each with a name that repeats it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::class::Class;

/// One fault in one scenario. Prints as `kill/first/sent.12.before`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Point {
    pub(crate) class: Class,
    pub(crate) scenario: String,
    /// The place within the scenario; each class has a notation of its own.
    pub(crate) spot: String,
}

/// What a point measured, by a name with its unit.
pub(crate) type Measures = BTreeMap<String, u64>;

/// Scenarios of a class, each with a place in it.
pub(crate) type Spots = Vec<(String, String)>;

/// What became of a point that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Every promise held.
    Held(Measures),
    /// The run ended before the fault: nothing was tried.
    Missed,
    /// It cannot be tried here, for this reason.
    NotRun(String),
}

impl Tried {
    /// Every promise held, and nothing was measured.
    pub(crate) fn held() -> Self {
        Self::Held(Measures::new())
    }
}

impl Point {
    /// The command that repeats the point.
    pub(crate) fn command(&self, major: u32) -> String {
        format!("cargo faults run --point {self} --major {major}")
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.class, self.scenario, self.spot)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.splitn(3, '/').collect();
        let [class, scenario, spot] = parts[..] else {
            return Err(format!("`{text}` is not a point such as `kill/first/sent.12.before`"));
        };
        let class = class.parse()?;
        Ok(Self { class, scenario: scenario.to_owned(), spot: spot.to_owned() })
    }
}

impl From<Point> for String {
    fn from(it: Point) -> Self {
        it.to_string()
    }
}

impl TryFrom<String> for Point {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::Point;

    #[test]
    fn a_printed_point_is_read_again() {
        for text in ["kill/first/sent.12.before", "herd/cold/64", "terminate/down-mixed/7"] {
            assert_eq!(text.parse::<Point>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        assert!("kill/first".parse::<Point>().is_err());
        assert!("rain/first/1".parse::<Point>().is_err());
    }
}
