//! Foreign keys taken out of a `CREATE TABLE`: tables that refer to each other load in no order.

use std::ops::Range;

use crate::cursor::Cursor;
use crate::lexer::{Token, TokenKind};
use crate::statement::split_tokens;

/// A `CREATE TABLE` without its foreign keys, and the `ALTER TABLE` that adds them; nothing if it
/// has none or is another statement.
///
/// The keys get the names that they would have had, as the server names them after all else of a
/// table is there.
///
/// ```
/// let (table, keys) = upfront_directory::split_foreign_keys("create table a (b int references b)").unwrap();
/// assert_eq!(table, "create table a (b int)");
/// assert_eq!(keys, "ALTER TABLE a ADD FOREIGN KEY (b) references b");
/// ```
#[must_use]
pub fn split_foreign_keys(sql: &str) -> Option<(String, String)> {
    let (statements, _) = split_tokens(sql);
    let head = Head::read(Cursor::of(sql, statements.first()?))?;
    let (mut kept, mut keys) = (Vec::new(), Vec::new());
    for part in head.elements.parts().into_iter().filter(|it| !it.is_at_end()) {
        let (rest, found) = lift(part);
        kept.extend(rest);
        keys.extend(found);
    }
    if keys.is_empty() {
        return None;
    }
    let list = match kept.is_empty() && !head.is_plain {
        true => String::new(),
        false => format!("({})", kept.join(", ")),
    };
    let before = &sql[..head.list.start];
    // A table that is there already would have been passed over with its keys.
    let before = match &head.unless_there {
        Some(it) => format!("{}{}", &before[..it.start], before[it.end..].trim_start()),
        None => before.to_owned(),
    };
    let table = format!("{before}{list}{}", &sql[head.list.end..]);
    Some((table, format!("ALTER TABLE {} ADD {}", head.name, keys.join(", ADD "))))
}

/// A `CREATE TABLE` up to its list.
struct Head<'a> {
    name: String,
    elements: Cursor<'a>,
    list: Range<usize>,
    /// Whether its columns are its own, so that the list cannot be left out.
    is_plain: bool,
    /// Where `IF NOT EXISTS` stands.
    unless_there: Option<Range<usize>>,
}

impl<'a> Head<'a> {
    fn read(mut it: Cursor<'a>) -> Option<Self> {
        if !it.eat("CREATE") {
            return None;
        }
        it.eat_any(&["GLOBAL", "LOCAL"]);
        it.eat_any(&["TEMP", "TEMPORARY", "UNLOGGED"]);
        if !it.eat("TABLE") {
            return None;
        }
        let start = it.peek()?.start;
        let unless_there = it.eat("IF NOT EXISTS").then(|| it.peek()).flatten();
        let name = it.name()?;
        let is_plain = !it.eat_any(&["PARTITION OF", "OF"]);
        if !is_plain {
            it.name()?;
        }
        let open = it.peek()?;
        let before = it.tokens();
        let elements = it.group()?;
        let close = before[before.len() - it.tokens().len() - 1];
        let list = open.start..close.end;
        let unless_there = unless_there.map(|it| start..it.start);
        Some(Self { name, elements, list, is_plain, unless_there })
    }
}

/// What is left of a column or a constraint, and the keys that it had.
fn lift(part: Cursor<'_>) -> (Option<String>, Vec<String>) {
    let (text, tokens) = (part.text(), part.tokens());
    let whole = |tokens: &[Token]| text[tokens[0].start..tokens[tokens.len() - 1].end].to_owned();
    if is_key(part) {
        let end = if part.ends_with("VALID") { tokens.len() - 2 } else { tokens.len() };
        return (None, vec![whole(&tokens[..end])]);
    }
    let column = tokens[0].text(text);
    let (mut left, mut keys, mut from) = (String::new(), Vec::new(), 0);
    while let Some(clause) = clause(part, from) {
        left.push_str(text[tokens[from].start..tokens[clause.start].start].trim_end());
        left.push(' ');
        let words = whole(&tokens[clause.clone()]);
        let (name, words) = words.split_at(name_length(text, &tokens[clause.clone()]));
        keys.push(format!("{name}FOREIGN KEY ({column}) {words}"));
        from = clause.end;
    }
    if let Some(rest) = tokens.get(from..).filter(|it| !it.is_empty()) {
        left.push_str(&whole(rest));
    }
    (Some(left.trim_end().to_owned()), keys)
}

/// Whether a list's element is a foreign key itself.
fn is_key(mut it: Cursor<'_>) -> bool {
    if it.eat("CONSTRAINT") {
        it.identifier();
    }
    it.is_at("FOREIGN")
}

/// The tokens of the next `[CONSTRAINT name] REFERENCES …` of a column.
fn clause(part: Cursor<'_>, from: usize) -> Option<Range<usize>> {
    let (text, tokens) = (part.text(), part.tokens());
    let mut depth = 0_usize;
    let at = (from.max(1)..tokens.len()).find(|at| {
        match tokens[*at].kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is(text, tokens[*at], "REFERENCES")
    })?;
    let named = at >= from + 2 && is(text, tokens[at - 2], "CONSTRAINT");
    let mut it = Cursor::of(text, &tokens[at + 1..]);
    it.name();
    it.group();
    while more(&mut it) {}
    Some(if named { at - 2 } else { at }..tokens.len() - it.tokens().len())
}

/// Steps over one of the phrases that belong to a reference.
fn more(it: &mut Cursor<'_>) -> bool {
    if it.eat("MATCH") {
        return it.identifier().is_some();
    }
    if it.eat_any(&["ON DELETE", "ON UPDATE"]) {
        it.eat_any(&["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]);
        it.group();
        return true;
    }
    it.eat_any(&[
        "NOT DEFERRABLE",
        "DEFERRABLE",
        "INITIALLY DEFERRED",
        "INITIALLY IMMEDIATE",
        "NOT ENFORCED",
        "ENFORCED",
        "NOT VALID",
    ])
}

/// How long `CONSTRAINT name ` is at the beginning of a clause.
fn name_length(text: &str, clause: &[Token]) -> usize {
    match is(text, clause[0], "CONSTRAINT") {
        true => clause[2].start - clause[0].start,
        false => 0,
    }
}

fn is(text: &str, token: Token, keyword: &str) -> bool {
    token.kind == TokenKind::Word && token.text(text).eq_ignore_ascii_case(keyword)
}

#[cfg(test)]
mod tests {
    #[test]
    fn takes_foreign_keys_out() {
        let check = |sql, table: &str, keys: &str| {
            let (left, lifted) = super::split_foreign_keys(sql).unwrap();
            assert_eq!((left.as_str(), lifted.as_str()), (table, keys));
        };
        check(
            "CREATE TABLE s.\"a b\" (\"x y\" int NOT NULL REFERENCES b (i) ON DELETE SET NULL (x) DEFAULT 1)",
            "CREATE TABLE s.\"a b\" (\"x y\" int NOT NULL DEFAULT 1)",
            "ALTER TABLE s.\"a b\" ADD FOREIGN KEY (\"x y\") REFERENCES b (i) ON DELETE SET NULL (x)",
        );
        check(
            "create unlogged table if not exists a (x int constraint k references b not null, \
             constraint l foreign key (x, y) references c (d, e) match full not valid,\n y int \
             check (y in (1, 2)) references b deferrable initially deferred references c) with (x)",
            "create unlogged table a (x int not null, y int check (y in (1, 2))) with (x)",
            "ALTER TABLE a ADD constraint k FOREIGN KEY (x) references b, ADD constraint l foreign \
             key (x, y) references c (d, e) match full, ADD FOREIGN KEY (y) references b deferrable \
             initially deferred, ADD FOREIGN KEY (y) references c",
        );
        check(
            "CREATE TABLE p PARTITION OF q (FOREIGN KEY (x) REFERENCES b) FOR VALUES IN (1)",
            "CREATE TABLE p PARTITION OF q  FOR VALUES IN (1)",
            "ALTER TABLE p ADD FOREIGN KEY (x) REFERENCES b",
        );
    }

    #[test]
    fn leaves_the_rest_alone() {
        let check = |sql| assert_eq!(super::split_foreign_keys(sql), None, "{sql}");
        check("CREATE TABLE a (x int DEFAULT 'references b', \"references\" int)");
        check("CREATE TABLE a AS SELECT 1");
        check("CREATE VIEW a AS SELECT 1");
        check("ALTER TABLE a ADD x int REFERENCES b");
    }
}
