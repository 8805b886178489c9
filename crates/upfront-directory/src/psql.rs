//! The lines by which `pg_dump` guards its output against psql's commands.

use std::ops::Range;

use crate::lexer::{Token, TokenKind};
use crate::statement;

/// A `\restrict` or `\unrestrict` line, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RestrictLine {
    pub(crate) range: Range<usize>,
    pub(crate) command: &'static str,
}

const COMMANDS: [&str; 2] = ["\\restrict", "\\unrestrict"];

/// The text with blanks for `\restrict` and `\unrestrict` lines between statements, as long as
/// before, and those lines.
///
/// They concern psql alone: between them it runs no commands but `\unrestrict` with the same key.
/// See <https://www.postgresql.org/docs/current/app-psql.html>.
pub(crate) fn without_restrict(mut body: String) -> (String, Vec<RestrictLine>) {
    let mut candidates = candidates(&body);
    let mut found = Vec::new();
    while !candidates.is_empty() {
        let (statements, _) = statement::split_tokens(&body);
        let between =
            candidates.extract_if(.., |it| is_between(&statements, it)).collect::<Vec<_>>();
        if between.is_empty() {
            break;
        }
        for it in &between {
            body.replace_range(it.range.clone(), &" ".repeat(it.range.len()));
        }
        found.extend(between);
    }
    found.sort_by_key(|it| it.range.start);
    (body, found)
}

/// The lines that look like such commands, even inside strings.
fn candidates(body: &str) -> Vec<RestrictLine> {
    if !COMMANDS.iter().any(|it| body.contains(it)) {
        return Vec::new();
    }
    let (mut found, mut start) = (Vec::new(), 0);
    for line in body.split_inclusive('\n') {
        let text = line.trim_end();
        if let Some(command) = command(text) {
            found.push(RestrictLine { range: start..start + text.len(), command });
        }
        start += line.len();
    }
    found
}

fn command(line: &str) -> Option<&'static str> {
    let (word, key) = line.split_once([' ', '\t'])?;
    let key = key.trim_start_matches([' ', '\t']);
    let is_key = !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric());
    COMMANDS.into_iter().find(|it| is_key && *it == word)
}

/// Whether a statement would start with this line.
fn is_between(statements: &[Vec<Token>], line: &RestrictLine) -> bool {
    let at = statements.partition_point(|it| it[0].start < line.range.start);
    let first = statements.get(at).map(|it| it[0]);
    first.is_some_and(|it| it.kind == TokenKind::Backslash && it.start == line.range.start)
}

#[cfg(test)]
mod tests {
    use super::without_restrict;

    #[test]
    fn blanks_lines_between_statements_alone() {
        check(
            "\\restrict k1\nSELECT 1;\n\\unrestrict k1\n",
            "            \nSELECT 1;\n              \n",
        );
        check("\\restrict a\n\\restrict b\nSELECT 1", "           \n           \nSELECT 1");
        check("SELECT 'é';\n\\unrestrict 9xy \n", "SELECT 'é';\n                \n");
        for kept in [
            "SELECT '\n\\restrict k\n';",
            "DO $$\n\\restrict k\n$$;",
            "/*\n\\restrict k\n*/",
            "SELECT 1\n\\restrict k\n;",
            " \\restrict k\n",
            "\\restrict\n",
            "\\restrict k;\n",
            "\\connect db\n",
            "COPY t FROM stdin;\n\\restrict k\n\\.\n",
        ] {
            check(kept, kept);
        }
    }

    fn check(body: &str, expected: &str) {
        assert_eq!(without_restrict(body.to_owned()).0, expected, "{body}");
    }
}
