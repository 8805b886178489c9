//! Lists and counts, in words.

use std::fmt;

use crate::Direction;

pub(crate) fn done(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "applied",
        Direction::Down => "rolled back",
    }
}

pub(crate) fn list(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    const SHOWN: usize = 10;
    for it in names.iter().take(SHOWN) {
        write!(f, "\n  {what}: {it}")?;
    }
    match names.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Names(usize);

    impl fmt::Display for Names {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let names: Vec<_> = (1..=self.0).map(|it| it.to_string()).collect();
            list(f, "pending", &names)
        }
    }

    #[test]
    fn a_list_shows_ten_names_and_counts_the_rest() {
        assert_eq!(Names(0).to_string(), "");
        assert_eq!(Names(2).to_string(), "\n  pending: 1\n  pending: 2");
        assert!(Names(10).to_string().ends_with("pending: 10"));
        assert!(Names(13).to_string().ends_with("pending: 10\n  and 3 more"));
    }
}
