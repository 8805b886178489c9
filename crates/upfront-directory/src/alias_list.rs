//! The names that a `FROM` gives to columns by their positions, as PostgreSQL prints them.

use std::ops::Range;

use crate::cursor::fold;
use crate::lexer::{Lexer, Token, TokenKind};

/// The list in `FROM s.t x(a, b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasList {
    /// Its bytes, parentheses included.
    pub range: Range<usize>,
    /// The names, as the catalog holds them.
    pub names: Vec<String>,
    /// What has the columns.
    pub of: AliasedItem,
    /// Whether the last name is that of the number of each row.
    pub with_ordinality: bool,
}

/// What a list gives names to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasedItem {
    /// A table or a view, by its names.
    Relation(Vec<String>),
    /// A function, by its names, with the bytes of its arguments.
    Function(Vec<String>, Range<usize>),
    /// A join, a subquery or several functions.
    Other,
}

/// The lists of positional column aliases in a statement as PostgreSQL prints it, as in
/// `pg_get_viewdef`: an alias without `AS`, and the list right behind it.
///
/// ```
/// let lists = upfront_directory::alias_lists("SELECT x.b FROM s.f(1) x(a, b)");
/// assert_eq!(lists[0].names, ["a", "b"]);
/// assert_eq!(lists[0].range, 24..30);
/// ```
#[must_use]
pub fn alias_lists(sql: &str) -> Vec<AliasList> {
    let tokens = tokens(sql);
    (0..tokens.len()).filter_map(|at| list(sql, &tokens, at)).collect()
}

/// Up to the first mistake.
fn tokens(sql: &str) -> Vec<Token> {
    Lexer::of(sql).map_while(Result::ok).filter(Token::is_significant).collect()
}

/// The list that begins at an opening parenthesis.
fn list(sql: &str, tokens: &[Token], open: usize) -> Option<AliasList> {
    let alias = open.checked_sub(1)?;
    let is_adjacent =
        tokens[open].kind == TokenKind::Open && tokens[alias].end == tokens[open].start;
    let is_apart = alias > 0 && tokens[alias - 1].end < tokens[alias].start;
    if !is_adjacent || !is_apart || !is_name(&tokens[alias]) {
        return None;
    }
    let of = item(sql, tokens, alias - 1)?;
    let with_ordinality = tokens[alias - 1].text(sql).eq_ignore_ascii_case("ORDINALITY");
    let mut names = Vec::new();
    for pair in tokens[open + 1..].chunks(2) {
        let [name, next] = pair else { return None };
        names.push(Some(name).filter(|it| is_name(it)).and_then(|it| fold(it.text(sql)))?);
        match next.kind {
            TokenKind::Comma => {}
            TokenKind::Close => {
                return Some(AliasList {
                    range: tokens[open].start..next.end,
                    names,
                    of,
                    with_ordinality,
                });
            }
            _ => return None,
        }
    }
    None
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
}

/// What stands before the alias. With an empty search path the server writes the schema of each
/// relation; a lone word is a keyword, or the name of a subquery.
fn item(sql: &str, tokens: &[Token], last: usize) -> Option<AliasedItem> {
    let is_word = |at: usize, word: &str| tokens[at].text(sql).eq_ignore_ascii_case(word);
    if tokens[last].kind == TokenKind::Close {
        return Some(called(sql, tokens, last));
    }
    if last > 1 && is_word(last, "ORDINALITY") && is_word(last - 1, "WITH") {
        let is_call = tokens[last - 2].kind == TokenKind::Close;
        return is_call.then(|| called(sql, tokens, last - 2));
    }
    let names = names(sql, tokens, last)?;
    (names.len() > 1).then_some(AliasedItem::Relation(names))
}

/// The function whose arguments end here.
fn called(sql: &str, tokens: &[Token], close: usize) -> AliasedItem {
    let mut depth = 0;
    let is_open = |at: &usize| {
        match tokens[*at].kind {
            TokenKind::Close => depth += 1,
            TokenKind::Open => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    let open = (0..=close).rev().find(is_open).filter(|it| *it > 0);
    let call = open.filter(|it| tokens[it - 1].end == tokens[*it].start);
    let function = call.and_then(|it| Some((it, names(sql, tokens, it - 1)?)));
    match function.filter(|(_, name)| name != &["from"]) {
        Some((open, name)) => AliasedItem::Function(name, tokens[open].end..tokens[close].start),
        None => AliasedItem::Other,
    }
}

/// The names, joined by dots, of which this is the last.
fn names(sql: &str, tokens: &[Token], mut last: usize) -> Option<Vec<String>> {
    let mut all = Vec::new();
    loop {
        let token = tokens.get(last).filter(|it| is_name(it))?;
        all.insert(0, fold(token.text(sql))?);
        if last < 2 || tokens[last - 1].kind != TokenKind::Dot {
            return Some(all);
        }
        last -= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::{AliasedItem, alias_lists};

    fn check(sql: &str, expected: &[&str]) {
        let all = alias_lists(sql).into_iter().map(|it| {
            let of = match it.of {
                AliasedItem::Relation(names) => names.join("."),
                AliasedItem::Function(names, arguments) => {
                    format!("{}[{}]", names.join("."), &sql[arguments])
                }
                AliasedItem::Other => "?".to_owned(),
            };
            format!("{of}: {}", it.names.join(","))
        });
        assert_eq!(all.collect::<Vec<_>>(), expected, "{sql}");
    }

    #[test]
    fn finds_positional_aliases() {
        check("SELECT a FROM s.t x(a, b)", &["s.t: a,b"]);
        check("SELECT a FROM ONLY s.\"T t\" x(\"A\", b) TABLESAMPLE system (1)", &["s.T t: A,b"]);
        check("SELECT a FROM s.f(g(1), 'x)') x(a)", &["s.f[g(1), 'x)']: a"]);
        check(
            "FROM generate_series(1, 2) WITH ORDINALITY g(g, o)",
            &["generate_series[1, 2]: g,o"],
        );
        check("FROM (s.t x JOIN s.u y ON ((x.a = y.b))) j(a, b)", &["?: a,b"]);
        check("FROM ROWS FROM(s.f(1), s.g(2)) x(a, b)", &["?: a,b"]);
        check("FROM s.t x(a, b),\n    LATERAL s.f(x.a) y(c)", &["s.t: a,b", "s.f[x.a]: c"]);
    }

    #[test]
    fn takes_nothing_else_for_one() {
        check("SELECT f(a), s.g(a, b) FROM s.t WHERE (a > b) AND h(a)", &[]);
        check("FROM s.f() x(a integer, b text)", &[]);
        check("INSERT INTO s.t (a, b) VALUES (1, 2)", &[]);
        check("CREATE FUNCTION s.f(a, b) AS $$ FROM s.t x(a, b) $$", &[]);
        check("FROM cte x(a, b) WHERE (a IN (b))", &[]);
        check("FROM s.t x(a", &[]);
        check("FROM s.t x(", &[]);
    }
}
