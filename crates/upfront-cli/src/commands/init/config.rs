//! What the settings of another tool say, in upfront's terms.

/// All that becomes `upfront.toml`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Config {
    /// The folder of migrations, as the settings name it.
    pub(super) dir: Option<String>,
    pub(super) environments: Vec<Environment>,
    pub(super) desired: Desired,
    /// The major version of PostgreSQL that the other tool compared schemas on.
    pub(super) version: Option<u32>,
    /// What has no counterpart, or needs a person.
    pub(super) notes: Vec<Note>,
}

/// A database, by the name of its environment. Texts hold variables as `upfront.toml` does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) name: String,
    pub(super) url: Option<String>,
    /// If it is not that of the whole file.
    pub(super) dir: Option<String>,
    pub(super) search_path: Vec<String>,
    pub(super) wait_timeout: Option<String>,
}

/// Where the desired schema comes from.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Desired {
    pub(super) sql: Vec<String>,
    pub(super) commands: Vec<String>,
    pub(super) schemas: Vec<String>,
    pub(super) exclude: Vec<String>,
}

impl Desired {
    pub(super) fn has_source(&self) -> bool {
        !self.sql.is_empty() || !self.commands.is_empty()
    }
}

/// A remark, and the line that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) file: String,
    /// Zero if it is about the whole file.
    pub(super) line: usize,
    pub(super) text: String,
}

impl Note {
    pub(super) fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into() }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {}", self.file, self.text),
        }
    }
}

/// Does the URL hold a password that is no variable?
pub(super) fn has_password(url: &str) -> bool {
    let is_secret = |it: &str| !(it.is_empty() || it.starts_with("${") && it.ends_with('}'));
    let authority = url.split_once("://").map_or("", |it| it.1);
    let end = authority.find(['/', '?']).unwrap_or(authority.len());
    // A password may hold the characters that end an authority.
    let user = authority[..end].rsplit_once('@').or_else(|| authority.rsplit_once('@'));
    let in_user = user.and_then(|it| it.0.split_once(':')).is_some_and(|it| is_secret(it.1));
    let query = url.split_once('?').map_or("", |it| it.1);
    let secret = |it: &str| {
        it.split_once('=')
            .is_some_and(|(name, value)| name.contains("password") && is_secret(value))
    };
    in_user || query.split('&').any(secret)
}

/// A URL without one of its parameters, and the value of that.
pub(super) fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut found = None;
    let kept: Vec<_> = query
        .split('&')
        .filter(|it| match it.split_once('=') {
            Some((key, value)) if key == name => {
                found = Some(value.to_owned());
                false
            }
            _ => true,
        })
        .collect();
    let url = match kept.is_empty() {
        true => place.to_owned(),
        false => format!("{place}?{}", kept.join("&")),
    };
    (url, found)
}

/// A word as a shell takes it.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:,@%+$".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false if word.contains("${") => format!("\"{}\"", word.replace('"', "\\\"")),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The major version and the rest of a note for a dev database of Docker, such as
/// `docker://postgres/15/dev`.
pub(super) fn image_of(url: &str) -> Option<(String, Option<u32>)> {
    let rest = url.strip_prefix("docker+postgres://").or_else(|| url.strip_prefix("docker://"))?;
    let rest = rest.split('?').next().unwrap_or_default();
    let rest = rest.strip_prefix("_/").unwrap_or(rest);
    let digits = |it: &str| {
        let it = it.trim_start_matches("pg").trim_start_matches('v');
        let end = it.find(|it: char| !it.is_ascii_digit()).unwrap_or(it.len());
        it[..end].parse().ok().filter(|it| (14..=99).contains(it))
    };
    // `docker+postgres` names an image and its tag, the plain form has them as folders.
    let (image, tag) = if let Some((image, tag)) = rest.rsplit_once(':') {
        (image, tag.split('/').next().unwrap_or_default())
    } else {
        let mut parts = rest.split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    Some((image.to_owned(), digits(tag)))
}

/// The variables in a text.
pub(super) fn names_in(text: &str) -> Vec<String> {
    let parts = text.split("${").skip(1);
    parts
        .filter_map(|it| Some(it.split_once('}')?.0.to_owned()))
        .filter(|it| !it.contains(":-"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_passwords_from_variables() {
        for it in [
            "postgres://u:p@h/d",
            "postgres://u:p/x@h/d",
            "postgres://u@h/d?password=x",
            "postgres://u:pre${X}@h/d",
        ] {
            assert!(has_password(it), "{it}");
        }
        for it in
            ["postgres://u@h/d", "postgres://${U}:${P}@${H}:5432/d", "${URL}", "postgres://u:@h/d"]
        {
            assert!(!has_password(it), "{it}");
        }
    }

    #[test]
    fn reads_images() {
        let check = |url: &str, image: &str, version| {
            assert_eq!(image_of(url), Some((image.to_owned(), version)), "{url}");
        };
        check("docker://postgres/15/dev?search_path=public", "postgres", Some(15));
        check("docker://postgres/16.2-alpine/dev", "postgres", Some(16));
        check("docker://postgis/latest/dev", "postgis", None);
        check("docker+postgres://_/postgres:17/dev", "postgres", Some(17));
        check("docker+postgres://pgvector/pgvector:pg17/dev", "pgvector/pgvector", Some(17));
        assert_eq!(image_of("postgres://localhost/dev"), None);
    }
}
