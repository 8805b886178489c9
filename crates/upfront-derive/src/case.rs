//! How the names of Rust become those of SQL.

use syn::{Error, LitStr, Result};

/// A rule of `rename_all`, called as serde calls it.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

const RULES: [(&str, Case); 8] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("PascalCase", Case::Pascal),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    pub(crate) fn parse(text: &LitStr) -> Result<Self> {
        let value = text.value();
        if let Some((_, rule)) = RULES.iter().find(|(name, _)| *name == value) {
            return Ok(*rule);
        }
        let known = RULES.map(|(name, _)| name).join("`, `");
        let message = format!("no rule is called `{value}`; there are `{known}`");
        Err(Error::new(text.span(), message))
    }

    /// The name of a variant or a field by that rule.
    pub(crate) fn apply(self, name: &str) -> String {
        let keywords = keywords(name);
        match self {
            Self::Lower => keywords.concat(),
            Self::Upper => keywords.concat().to_uppercase(),
            Self::Pascal => keywords.iter().map(|it| capital(it)).collect(),
            Self::Camel => camel(&keywords),
            Self::Snake => keywords.join("_"),
            Self::ScreamingSnake => keywords.join("_").to_uppercase(),
            Self::Kebab => keywords.join("-"),
            Self::ScreamingKebab => keywords.join("-").to_uppercase(),
        }
    }
}

fn camel(keywords: &[String]) -> String {
    let capitals = keywords.iter().skip(1).map(|it| capital(it));
    keywords.iter().take(1).cloned().chain(capitals).collect()
}

fn capital(keyword: &str) -> String {
    let mut letters = keyword.chars();
    letters.next().map(|it| it.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The words of a name, in lowercase: each capital begins one, as in serde, and so does what follows
/// an underscore.
fn keywords(name: &str) -> Vec<String> {
    let mut keywords = vec![String::new()];
    for letter in name.chars() {
        let last = keywords.last().is_none_or(String::is_empty);
        if (letter == '_' || letter.is_uppercase()) && !last {
            keywords.push(String::new());
        }
        if let (true, Some(keyword)) = (letter != '_', keywords.last_mut()) {
            keyword.extend(letter.to_lowercase());
        }
    }
    keywords.retain(|it| !it.is_empty());
    keywords
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_as_serde_does() {
        let check = |rule: Case, expected: [&str; 3]| {
            assert_eq!(["InReview", "HttpV2", "sent_at"].map(|it| rule.apply(it)), expected);
        };
        check(Case::Lower, ["inreview", "httpv2", "sentat"]);
        check(Case::Upper, ["INREVIEW", "HTTPV2", "SENTAT"]);
        check(Case::Pascal, ["InReview", "HttpV2", "SentAt"]);
        check(Case::Camel, ["inReview", "httpV2", "sentAt"]);
        check(Case::Snake, ["in_review", "http_v2", "sent_at"]);
        check(Case::ScreamingSnake, ["IN_REVIEW", "HTTP_V2", "SENT_AT"]);
        check(Case::Kebab, ["in-review", "http-v2", "sent-at"]);
        check(Case::ScreamingKebab, ["IN-REVIEW", "HTTP-V2", "SENT-AT"]);
    }
}
