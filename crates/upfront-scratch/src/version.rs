//! Versions of PostgreSQL.

use std::fmt;

/// A version of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    major: u32,
    text: String,
}

impl Version {
    /// The major version, as in 18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The version alone, as in `15.20`.
    pub(crate) fn number(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or_default()
    }

    /// The number behind the major version, as 20 in `15.20`.
    pub(crate) fn minor(&self) -> u32 {
        let minor = self.number().split('.').nth(1);
        minor.and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let major = text.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()?;
        Some(Self { major, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    /// All that the server says of its version, as in `15.20 (Debian 15.20-0+deb12u1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn reads_a_version() {
        check("15.20 (Debian 15.20-0+deb12u1)", Some((15, 20, "15.20")));
        check("18.6", Some((18, 6, "18.6")));
        check("19beta1", Some((19, 0, "19beta1")));
        check("devel", None);
    }

    fn check(text: &str, expected: Option<(u32, u32, &str)>) {
        let version = Version::parse(text);
        let read = version.as_ref().map(|it| (it.major(), it.minor(), it.number()));
        assert_eq!(read, expected, "{text}");
    }
}
