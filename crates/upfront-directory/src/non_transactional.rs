//! What does not do what it says in a file that runs statement by statement.

use crate::cursor::{Cursor, fold};
use crate::lexer::TokenKind;

/// A statement that is worth a warning where each one runs in a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScopeProblem {
    /// It lasts until the end of its transaction, and that ends with it.
    TransactionOnly(String),
    /// Later statements depend on it, and a restart in between has another session.
    SessionDependent(String),
}

/// The effect of a statement, if it is one of those.
pub(crate) fn scope_problem(statement: Cursor<'_>) -> Option<ScopeProblem> {
    let mut it = statement;
    if it.eat("SET") {
        return set(it);
    }
    if it.is_at("LOCK") {
        return Some(ScopeProblem::TransactionOnly("LOCK TABLE".to_owned()));
    }
    it.is_at_any(&["SELECT", "WITH", "VALUES", "PERFORM"])
        .then(|| statement.positions().find_map(set_config))
        .flatten()
}

fn set(mut it: Cursor<'_>) -> Option<ScopeProblem> {
    if it.is_at("CONSTRAINTS") {
        return Some(ScopeProblem::TransactionOnly("SET CONSTRAINTS".to_owned()));
    }
    if it.eat("LOCAL") {
        let name = it.word().unwrap_or_default();
        return Some(ScopeProblem::TransactionOnly(
            format!("SET LOCAL {name}").trim_end().to_owned(),
        ));
    }
    it.eat("SESSION");
    let name = it.name().and_then(|it| fold(&it))?;
    let value = it.positions().last()?.peek()?.text(it.text());
    (is_about_names(&name) && value != "''")
        .then(|| ScopeProblem::SessionDependent(format!("SET {name}")))
}

/// `set_config('search_path', 'a', false)`, with or without its schema.
fn set_config(mut it: Cursor<'_>) -> Option<ScopeProblem> {
    if !it.eat("set_config") {
        return None;
    }
    let arguments = it.group()?.parts();
    let [name, value, is_local] = arguments.as_slice() else { return None };
    let literal = |it: &Cursor<'_>| {
        let token = it.peek().filter(|_| it.tokens().len() == 1)?;
        let is_literal = matches!(token.kind, TokenKind::Text | TokenKind::Word);
        is_literal.then(|| token.text(it.text()).trim_matches('\'').to_ascii_lowercase())
    };
    let name = literal(name)?;
    match literal(is_local)?.as_str() {
        "true" | "t" | "on" | "yes" | "1" => {
            Some(ScopeProblem::TransactionOnly(format!("set_config('{name}', …, true)")))
        }
        _ if is_about_names(&name) && literal(value).as_deref() != Some("") => {
            Some(ScopeProblem::SessionDependent(format!("set_config('{name}', …)")))
        }
        _ => None,
    }
}

/// Settings on which the meaning of later statements depends.
fn is_about_names(setting: &str) -> bool {
    ["search_path", "schema", "role"].contains(&setting)
}

#[cfg(test)]
mod tests {
    use super::{ScopeProblem, scope_problem};
    use crate::cursor::Cursor;
    use crate::statement::split_tokens;

    #[test]
    fn finds_what_is_lost_and_what_depends_on_the_session() {
        check("SET LOCAL search_path TO a", Some("lost SET LOCAL search_path"));
        check("set local lock_timeout = '1s'", Some("lost SET LOCAL lock_timeout"));
        check("SET CONSTRAINTS ALL DEFERRED", Some("lost SET CONSTRAINTS"));
        check("LOCK TABLE t", Some("lost LOCK TABLE"));
        check("SELECT set_config('a.b', 'c', true)", Some("lost set_config('a.b', …, true)"));
        check("SET search_path TO a, b", Some("session SET search_path"));
        check("SET SESSION \"search_path\" = a", Some("session SET search_path"));
        check("SET SCHEMA 'a'", Some("session SET schema"));
        check("SET ROLE a", Some("session SET role"));
        check(
            "SELECT pg_catalog.set_config('search_path', 'a', false)",
            Some("session set_config('search_path', …)"),
        );
        check("SELECT pg_catalog.set_config('search_path', '', false)", None);
        check("SET search_path = ''", None);
        check("SET lock_timeout = '1s'", None);
        check("RESET search_path", None);
        check("SELECT 'SET LOCAL a'", None);
        check(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a AS 'SELECT 1'",
            None,
        );
        check("ALTER ROLE a SET search_path = b", None);
        check("UPDATE t SET role = 'a'", None);
    }

    fn check(sql: &str, expected: Option<&str>) {
        let (statements, _) = split_tokens(sql);
        let found = scope_problem(Cursor::of(sql, &statements[0])).map(|it| match it {
            ScopeProblem::TransactionOnly(words) => format!("lost {words}"),
            ScopeProblem::SessionDependent(words) => format!("session {words}"),
        });
        assert_eq!(found.as_deref(), expected, "{sql}");
    }
}
