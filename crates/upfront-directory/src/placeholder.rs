//! `${NAME}` as other tools replace it, and nothing here does.

use crate::cursor::Cursor;
use crate::lexer::{Lexer, Token, TokenKind};

/// Languages in whose code `${` means nothing.
const SQL_LANGUAGES: [&str; 2] = ["sql", "plpgsql"];

/// The placeholders in a statement: where each stands, and its name.
///
/// Comments have none. Neither have the template literals of JavaScript, nor the dollar-quoted
/// texts, except where one is the body of an SQL or PL/pgSQL routine and the placeholder stands
/// outside the strings in it.
pub(crate) fn placeholders<'a>(
    body: &'a str,
    statement: &'a [Token],
) -> impl Iterator<Item = (usize, &'a str)> {
    let (start, end) = (statement[0].start, statement[statement.len() - 1].end);
    let found = body[start..end].match_indices("${").map(move |(at, _)| start + at);
    found.filter_map(move |at| {
        let name = name(&body[at + 2..]).filter(|_| !is_escaped(&body[..at]))?;
        let token = statement.partition_point(|it| it.end <= at);
        let token = statement.get(token).filter(|it| it.start <= at)?;
        is_meant(Cursor::of(body, statement), *token, at).then_some((at, name))
    })
}

fn name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('}')?;
    let is_first = |it: u8| it.is_ascii_alphabetic() || it == b'_';
    let is_next = |it: u8| it.is_ascii_alphanumeric() || b"_.:-".contains(&it);
    let is_name = name.bytes().next().is_some_and(is_first) && name.bytes().all(is_next);
    is_name.then_some(name)
}

fn is_escaped(before: &str) -> bool {
    before.ends_with(['$', '\\'])
}

fn is_meant(statement: Cursor<'_>, token: Token, at: usize) -> bool {
    let text = statement.text();
    match token.kind {
        TokenKind::DollarText => is_sql_routine(statement) && is_code(text, token, at),
        TokenKind::Text => {
            let is_template = text[token.start..at].matches('`').count() % 2 == 1;
            !is_template && (language(statement).is_none() || is_sql_routine(statement))
        }
        _ => true,
    }
}

/// Whether a place in a dollar-quoted text is neither string nor comment of the SQL in it.
fn is_code(text: &str, token: Token, at: usize) -> bool {
    let quote = token.text(text)[1..].find('$').map_or(0, |at| at + 2);
    let inner = &text[token.start + quote..token.end - quote];
    let at = at - token.start - quote;
    let mut tokens = Lexer::of(inner).map_while(Result::ok).skip_while(|it| it.end <= at);
    tokens.next().is_some_and(|it| {
        matches!(it.kind, TokenKind::Word | TokenKind::Symbol | TokenKind::Quoted)
    })
}

fn is_sql_routine(statement: Cursor<'_>) -> bool {
    let is_routine = statement.is_at("DO")
        || (statement.is_at("CREATE")
            && ["FUNCTION", "PROCEDURE"].iter().any(|it| statement.has(it)));
    let is_sql = |it: &str| SQL_LANGUAGES.iter().any(|known| known.eq_ignore_ascii_case(it));
    is_routine && language(statement).is_none_or(is_sql)
}

/// The language that a routine names.
fn language(statement: Cursor<'_>) -> Option<&str> {
    if !statement.is_at_any(&["CREATE", "DO"]) {
        return None;
    }
    let after = statement.positions().find_map(|mut it| it.eat("LANGUAGE").then_some(it))?;
    let token = after.peek()?;
    Some(token.text(after.text()).trim_matches(['\'', '"']))
}

#[cfg(test)]
mod tests {
    use super::placeholders;
    use crate::statement::split_tokens;

    #[test]
    fn finds_placeholders() {
        check("CREATE ROLE a PASSWORD '${ADMIN_PASSWORD}'", &["ADMIN_PASSWORD"]);
        check("CREATE TABLE ${schema}.t_${env} (id int)", &["schema", "env"]);
        check("SELECT \"${flyway:user}\", '${app.name:-x}'", &["flyway:user", "app.name:-x"]);
        check("DO $$ BEGIN CREATE TABLE ${schema}.t (); END $$", &["schema"]);
        check(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1 FROM ${s}.t $f$",
            &["s"],
        );
    }

    #[test]
    fn passes_over_what_is_meant_as_text() {
        check("SELECT 1 -- ${a}\n, 2 /* ${b} */", &[]);
        check("SELECT '${}', '${ a }', '${1}', '${a + b}', '$${a}', '\\${a}', '${a'", &[]);
        check("SELECT 'const x = `Hello ${name}`;'", &[]);
        check("INSERT INTO t VALUES ($$ Hello ${name} $$)", &[]);
        check("CREATE FUNCTION f() RETURNS text LANGUAGE plv8 AS $$ return `${name}${a}`; $$", &[]);
        check("CREATE FUNCTION f() RETURNS text AS 'return ${name}' LANGUAGE plv8", &[]);
        check("DO $$ BEGIN RAISE NOTICE '${a}'; /* ${b} */ END -- ${c}\n $$", &[]);
        check("SELECT $1, a$b, $${a}$$", &[]);
    }

    fn check(sql: &str, expected: &[&str]) {
        let (statements, _) = split_tokens(sql);
        let found = statements.iter().flat_map(|it| placeholders(sql, it).map(|it| it.1));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{sql}");
    }
}
