//! What a statement requires of the server, beyond its own database.

use std::ops::Range;

use crate::cursor::{Cursor, fold};
use crate::lexer::TokenKind;
use crate::statement::split_tokens;

/// Something of a server, rather than of a database, that a statement creates or uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRequirement {
    /// `CREATE EXTENSION`: its name, and its version if given.
    Extension {
        /// The extension.
        name: String,
        /// The version, as written.
        version: Option<String>,
    },
    /// `COMMENT ON EXTENSION`.
    ExtensionComment(String),
    /// `CREATE ROLE`, `USER` or `GROUP`.
    Role(String),
    /// `CREATE SUBSCRIPTION`.
    Subscription(String),
    /// `SECURITY LABEL`: the labelled object, as written.
    SecurityLabel(String),
}

/// Returns the server requirement of a statement, if any.
///
/// ```
/// use upfront_directory::ServerRequirement;
///
/// let it = upfront_directory::server_requirement("create extension if not exists \"uuid-ossp\"");
/// assert_eq!(it, Some(ServerRequirement::Extension { name: "uuid-ossp".into(), version: None }));
/// assert_eq!(upfront_directory::server_requirement("create table extension ()"), None);
/// ```
#[must_use]
pub fn server_requirement(sql: &str) -> Option<ServerRequirement> {
    // Most statements are long and begin with another word.
    let start = sql.get(..7).unwrap_or(sql).to_ascii_uppercase();
    if !["CREATE", "COMMENT", "SECURIT"].iter().any(|it| start.starts_with(it)) {
        return None;
    }
    let (statements, _) = split_tokens(sql);
    let mut it = Cursor::of(sql, statements.first()?);
    if it.eat("COMMENT ON EXTENSION") {
        return name(&mut it).map(ServerRequirement::ExtensionComment);
    }
    if it.eat("SECURITY LABEL") {
        return it.positions().find_map(|mut it| it.eat("ON").then_some(it)).map(label);
    }
    if !it.eat("CREATE") {
        return None;
    }
    if it.eat_any(&["ROLE", "USER", "GROUP"]) && !it.is_at("MAPPING") {
        return name(&mut it).map(ServerRequirement::Role);
    }
    if it.eat("SUBSCRIPTION") {
        return name(&mut it).map(ServerRequirement::Subscription);
    }
    if it.eat("EXTENSION") {
        it.eat("IF NOT EXISTS");
        let name = name(&mut it)?;
        let version = it.positions().find_map(|mut it| it.eat("VERSION").then(|| word(&mut it))?);
        return Some(ServerRequirement::Extension { name, version });
    }
    None
}

/// Returns the ranges of names that the server truncates to 63 bytes.
#[must_use]
pub fn long_names(sql: &str) -> Vec<Range<usize>> {
    let (statements, _) = split_tokens(sql);
    let tokens = statements.iter().flatten();
    let is_long = |text: &str| match text.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\"").len() > 63,
        None => text.len() > 63,
    };
    tokens
        .filter(|it| {
            matches!(it.kind, TokenKind::Word | TokenKind::Quoted) && is_long(it.text(sql))
        })
        .map(|it| it.start..it.end)
        .collect()
}

fn name(it: &mut Cursor<'_>) -> Option<String> {
    fold(it.identifier()?)
}

/// A name or a text.
fn word(it: &mut Cursor<'_>) -> Option<String> {
    if let Some(written) = it.identifier() {
        return fold(written);
    }
    let text = it.peek().filter(|it| it.kind == TokenKind::Text)?.text(it.text());
    Some(text.trim_matches('\'').to_owned())
}

fn label(it: Cursor<'_>) -> ServerRequirement {
    let end = it.positions().find(|it| it.is_at("IS")).map_or(0, |it| it.tokens().len());
    let tokens = &it.tokens()[..it.tokens().len() - end];
    let text = tokens.first().zip(tokens.last()).map(|(first, last)| first.start..last.end);
    ServerRequirement::SecurityLabel(
        text.map(|range| it.text()[range].to_owned()).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::ServerRequirement;

    #[test]
    fn reads_what_a_statement_needs() {
        let check =
            |sql, expected| assert_eq!(super::server_requirement(sql), Some(expected), "{sql}");
        let extension = |name: &str, version: Option<&str>| ServerRequirement::Extension {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        check("CREATE EXTENSION Hstore", extension("hstore", None));
        check(
            "create extension if not exists x with schema \"version\" version '1.2' cascade",
            extension("x", Some("1.2")),
        );
        check("CREATE EXTENSION x VERSION \"1.0\"", extension("x", Some("1.0")));
        check("comment on extension x is 'y'", ServerRequirement::ExtensionComment("x".into()));
        check("CREATE USER \"My\" LOGIN", ServerRequirement::Role("My".into()));
        check(
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
            ServerRequirement::Subscription("s".into()),
        );
        check(
            "SECURITY LABEL FOR x ON TABLE a.b IS 'c'",
            ServerRequirement::SecurityLabel("TABLE a.b".into()),
        );
    }

    #[test]
    fn passes_over_the_rest() {
        let check = |sql| assert_eq!(super::server_requirement(sql), None, "{sql}");
        check("CREATE USER MAPPING FOR x SERVER y");
        check("CREATE TABLE role (extension int)");
        check("é");
        check("");
    }
}
