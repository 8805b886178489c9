//! Commands of upfront in messages, with the options that make them work on the same history.

/// The app of a program that sets none.
pub(crate) const DEFAULT_APP: &str = "main";

/// The schema of upfront's own tables in a program that sets none.
pub(crate) const DEFAULT_SCHEMA: &str = "upfront";

/// The options that name an app and a schema, where they are not the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CommandOptions(String);

impl CommandOptions {
    pub(crate) fn of(app: &str, schema: &str) -> Self {
        let named = [("app", app, DEFAULT_APP), ("schema", schema, DEFAULT_SCHEMA)];
        let option = |(name, value, default): (&str, &str, &str)| {
            (value != default).then(|| format!(" --{name} {}", shell_word(value)))
        };
        Self(named.into_iter().filter_map(option).collect())
    }

    /// A command in backticks, such as `` `upfront resolve 2 --applied --app billing` ``.
    pub(crate) fn command(&self, words: &str) -> String {
        format!("`upfront {words}{}`", self.0)
    }
}

/// A word as a shell reads it.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "-_=./:,@%+".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_not_the_default() {
        let of = |app: &str, schema: &str| {
            CommandOptions::of(app, schema).command("resolve 2 --applied")
        };
        assert_eq!(of("main", "upfront"), "`upfront resolve 2 --applied`");
        assert_eq!(of("a b", "ops"), "`upfront resolve 2 --applied --app 'a b' --schema ops`");
    }
}
