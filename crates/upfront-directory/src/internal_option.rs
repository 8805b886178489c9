//! Options that a server sets by itself, in the text of a dump.

use std::ops::Range;

use crate::cursor::Cursor;
use crate::lexer::{Token, TokenKind};
use crate::statement::split_tokens;

/// Where SQL sets options whose names begin with `pg_`, in bytes: each range can be taken out.
///
/// PostgreSQL keeps such options for itself. A `pg_dump` that is older than the server writes them
/// all the same, for instance `pg_attver` of each column of a 15.20, and no other server reads them.
///
/// ```
/// let sql = "alter table t alter i set (pg_attver=7);\nselect 1;";
/// let ranges = upfront_directory::internal_options(sql);
/// assert_eq!(ranges, [0..41]);
/// ```
#[must_use]
pub fn internal_options(sql: &str) -> Vec<Range<usize>> {
    // Reading a text costs more than looking for what few have.
    if !has_candidate(sql) {
        return Vec::new();
    }
    let (statements, _) = split_tokens(sql);
    statements.iter().flat_map(|tokens| of_statement(sql, tokens)).collect()
}

/// Whether a list has a name that begins so.
fn has_candidate(sql: &str) -> bool {
    let starts = sql.match_indices("pg_").map(|(at, _)| sql[..at].trim_end());
    starts.into_iter().any(|before| before.ends_with(['(', ',']))
}

fn of_statement(sql: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let statement = Cursor::of(sql, tokens);
    if !statement.is_at_any(&["ALTER", "CREATE"]) {
        return Vec::new();
    }
    let mut depth = 0_usize;
    let lists = statement.positions().filter_map(|it| {
        match it.peek()?.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 { List::read(statement, it) } else { None }
    });
    lists.flat_map(|it| it.internal(sql, statement)).collect()
}

/// `SET (…)` or `WITH (…)`.
struct List<'a> {
    /// With the blanks before it.
    range: Range<usize>,
    items: Vec<Cursor<'a>>,
    is_set: bool,
}

impl<'a> List<'a> {
    fn read(statement: Cursor<'a>, at: Cursor<'a>) -> Option<Self> {
        let mut it = at;
        let is_set = it.eat("SET");
        if !is_set && !it.eat("WITH") {
            return None;
        }
        let items = it.group()?.parts();
        let last = at.tokens()[at.tokens().len() - it.tokens().len() - 1];
        let word = statement.tokens().len() - at.tokens().len();
        let range = statement.tokens()[word.checked_sub(1)?].end..last.end;
        // The rest of the statement is what `WITH (…)` may have, and `SET (…)` has not.
        (!is_set || it.is_at_end()).then_some(Self { range, items, is_set })
    }

    fn internal(&self, sql: &str, statement: Cursor<'_>) -> Vec<Range<usize>> {
        let is_internal: Vec<_> = self.items.iter().map(|it| is_internal(*it)).collect();
        if is_internal.iter().all(|it| *it) {
            return vec![if self.is_set { whole(sql, statement) } else { self.range.clone() }];
        }
        // The last one that stays has no comma behind it.
        let last = is_internal.iter().rposition(|it| !it).unwrap_or_default();
        let start = |at: usize| self.items[at].peek().map_or(0, |it| it.start);
        let end = |at: usize| self.items[at].tokens().last().map_or(0, |it| it.end);
        let gone = (0..self.items.len()).filter(|at| is_internal[*at]);
        gone.map(|at| if at < last { start(at)..start(at + 1) } else { end(at - 1)..end(at) })
            .collect()
    }
}

fn is_internal(mut item: Cursor<'_>) -> bool {
    let name = item.identifier().unwrap_or_default().trim_matches('"');
    name.get(..3).is_some_and(|it| it.eq_ignore_ascii_case("pg_")) && item.eat_symbol("=")
}

/// The statement with its `;` and the end of its line.
fn whole(sql: &str, statement: Cursor<'_>) -> Range<usize> {
    let tokens = statement.tokens();
    let (start, mut end) = (tokens[0].start, tokens[tokens.len() - 1].end);
    for it in [";", "\n"] {
        let rest = &sql[end..];
        if rest.starts_with(it) {
            end += it.len();
        }
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::internal_options;

    #[test]
    fn takes_out_what_begins_with_pg() {
        let check = |sql: &str, expected: &str| {
            let mut text = sql.to_owned();
            for it in internal_options(sql).into_iter().rev() {
                text.replace_range(it, "");
            }
            assert_eq!(text, expected, "{sql}");
        };
        check(
            "ALTER TABLE ONLY t ALTER COLUMN \"a;b\" SET (pg_attver=1);\nSELECT 1;\n",
            "SELECT 1;\n",
        );
        check("ALTER FOREIGN TABLE t ALTER i SET (pg_a='1', PG_b = 2)", "");
        check(
            "ALTER TABLE t ALTER i SET (pg_a=1, n_distinct=5);",
            "ALTER TABLE t ALTER i SET (n_distinct=5);",
        );
        check(
            "ALTER TABLE t ALTER i SET (n_distinct=5, pg_a=1, pg_b);",
            "ALTER TABLE t ALTER i SET (n_distinct=5, pg_b);",
        );
        check("ALTER INDEX i SET (n=5, pg_a=1, pg_b='2');", "ALTER INDEX i SET (n=5);");
        check(
            "CREATE INDEX i ON t (a) WITH (pg_a=1) WHERE a > 1;",
            "CREATE INDEX i ON t (a) WHERE a > 1;",
        );
        check(
            "CREATE TABLE t (i int) WITH (pg_a=1, fillfactor='50');",
            "CREATE TABLE t (i int) WITH (fillfactor='50');",
        );
        for stays in [
            "UPDATE t SET (pg_a, pg_b) = (pg_a=1, 2)",
            "SELECT f(pg_a=1)",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ALTER TABLE t SET (pg_a=1);$$;",
            "CREATE RULE r AS ON INSERT TO t DO (UPDATE t SET (pg_a) = ROW(1));",
            "CREATE TABLE t (a int CHECK (pg_a=1));",
            "ALTER TABLE t SET (pg_a=1), ALTER i SET NOT NULL;",
        ] {
            check(stays, stays);
        }
    }
}
