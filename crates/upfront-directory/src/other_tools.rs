//! Migration files of other tools, recognised by the comments and names that those tools read.
//!
//! Most of them keep both directions in one file, with a comment between. Run as one script, such a
//! file undoes what it has just done.

use std::fmt;

use crate::cursor::Cursor;
use crate::lexer::{Lexer, TokenKind};
use crate::statement;

/// A comment by which another migration tool divides or describes its file.
///
/// ```
/// let mark = upfront_directory::tool_mark("-- +goose Up\nSELECT 1;\n").unwrap();
/// assert_eq!((mark.tool(), mark.line()), ("goose", 1));
/// assert!(upfront_directory::tool_mark("SELECT '\n-- +goose Up\n';\n").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolMark {
    tool: &'static str,
    text: String,
    line: u32,
    column: u32,
    part: Part,
}

impl ToolMark {
    /// The name of the tool.
    #[must_use]
    pub fn tool(&self) -> &'static str {
        self.tool
    }

    /// The line of the comment, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column of the comment, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }
}

/// What a comment of another tool introduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Up,
    Down,
    /// Something else, such as the header of the file.
    Other,
}

/// A line that may be a comment of another tool, before the lexer has confirmed that it is one.
struct Candidate {
    /// The offset of the `--`.
    start: usize,
    mark: ToolMark,
    evidence: Evidence,
}

/// How sure it is that the comment is no prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// The tool writes exactly this.
    Exact,
    /// It may be prose: it counts if the file has both directions, up before down, and what follows
    /// drops something.
    IfItDrops,
}

const UNNAMED: &str = "another migration tool";

/// The comment of another migration tool in a file: where its down section starts, if it has one.
///
/// Only whole-line comments count, never the same words within a string, a dollar quote, a block
/// comment or a sentence.
#[must_use]
pub fn tool_mark(sql: &str) -> Option<ToolMark> {
    let candidates = candidates(sql);
    if candidates.is_empty() {
        return None;
    }
    let candidates = confirmed(sql, candidates);
    let certain: Vec<_> = candidates.iter().filter(|it| is_certain(it, &candidates, sql)).collect();
    let down = certain.iter().find(|it| it.mark.part == Part::Down);
    down.or(certain.first()).map(|it| it.mark.clone())
}

/// The lines that look like comments of other tools, even inside strings.
fn candidates(sql: &str) -> Vec<Candidate> {
    let (mut found, mut start) = (Vec::new(), 0);
    for (line, number) in sql.split_inclusive('\n').zip(1_usize..) {
        let indented = line.trim_start_matches([' ', '\t', '#']);
        let indent = line.len() - indented.len();
        if indented.starts_with("--")
            && let Some((tool, part, evidence)) = recognise(indented.trim_end())
        {
            let mark = ToolMark {
                tool,
                text: indented.trim_end().to_owned(),
                line: crate::location::number(number),
                column: crate::location::number(indent + 1),
                part,
            };
            found.push(Candidate { start: start + indent, mark, evidence });
        }
        start += line.len();
    }
    found
}

/// Those that are line comments.
fn confirmed(sql: &str, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let comments =
        Lexer::of(sql).map_while(Result::ok).filter(|it| it.kind == TokenKind::LineComment);
    let mut comments = comments.map(|it| it.start).peekable();
    candidates.retain(|it| {
        while comments.next_if(|start| *start < it.start).is_some() {}
        comments.peek() == Some(&it.start)
    });
    candidates
}

fn is_certain(candidate: &Candidate, all: &[Candidate], sql: &str) -> bool {
    match candidate.evidence {
        Evidence::Exact => true,
        Evidence::IfItDrops => {
            let is_up_before =
                |it: &Candidate| it.mark.part == Part::Up && it.start < candidate.start;
            candidate.mark.part == Part::Down
                && all.iter().any(is_up_before)
                && drops(&sql[candidate.start..])
        }
    }
}

/// Whether a statement of the text removes something, as down scripts do.
fn drops(sql: &str) -> bool {
    let (statements, _) = statement::split_tokens(sql);
    statements.iter().any(|it| {
        let it = Cursor::of(sql, it);
        it.is_at_any(&["DROP", "DELETE", "TRUNCATE"]) || (it.is_at("ALTER") && it.has("DROP"))
    })
}

/// Which tool reads this comment, and as what.
fn recognise(comment: &str) -> Option<(&'static str, Part, Evidence)> {
    let text = comment.trim_start_matches('-');
    let dashes = comment.len() - text.len();
    let text = text.trim().to_ascii_lowercase();
    let exact = |tool, part| Some((tool, part, Evidence::Exact));
    if let Some(annotation) = text.strip_prefix('+') {
        return annotated(annotation).and_then(|(tool, part)| exact(tool, part));
    }
    if let Some(rest) = text.strip_prefix("migrate:") {
        return dbmate(rest).and_then(|part| exact("dbmate", part));
    }
    let words: Vec<_> = text.trim_end_matches(['-', ':']).split_whitespace().collect();
    match words.as_slice() {
        ["create", "above", "/", "drop", "below"] if dashes >= 4 => exact("tern", Part::Down),
        ["tern:", "disable-tx"] if dashes >= 4 => exact("tern", Part::Other),
        ["up", "migration"] => exact("node-pg-migrate", Part::Up),
        ["down", "migration"] => exact("node-pg-migrate", Part::Down),
        ["up", word, ..] if word.starts_with("migration") => {
            Some(("node-pg-migrate", Part::Up, Evidence::IfItDrops))
        }
        ["down", word, ..] if word.starts_with("migration") => {
            Some(("node-pg-migrate", Part::Down, Evidence::IfItDrops))
        }
        ["rambler", "up"] => exact("rambler", Part::Up),
        ["rambler", "down"] => exact("rambler", Part::Down),
        ["!ups"] => exact("Play evolutions", Part::Up),
        ["!downs"] => exact("Play evolutions", Part::Down),
        ["//@undo"] | ["//", "@undo"] => exact("MyBatis Migrations", Part::Down),
        ["liquibase", "formatted", "sql", ..] => exact("Liquibase", Part::Other),
        [first, ..] if dashes == 2 && first.starts_with('!') => graphile(&text),
        ["deploy", change, "to", "pg"] if is_sqitch(change) => exact("Sqitch", Part::Up),
        ["revert", change, "from", "pg"] if is_sqitch(change) => exact("Sqitch", Part::Down),
        ["verify", change, "on", "pg"] if is_sqitch(change) => exact("Sqitch", Part::Other),
        ["====", "up", "===="] => exact("shmig", Part::Up),
        ["====", "down", "===="] => exact("shmig", Part::Down),
        _ => unnamed(&text).map(|part| (UNNAMED, part, Evidence::IfItDrops)),
    }
}

/// `project:change`
fn is_sqitch(change: &str) -> bool {
    change.split_once(':').is_some_and(|(project, name)| !project.is_empty() && !name.is_empty())
}

/// `+goose Up`, `+migrate Down`, `+micrate StatementBegin`, without the `+`.
fn annotated(annotation: &str) -> Option<(&'static str, Part)> {
    let mut words = annotation.split_whitespace();
    let (name, command) = (words.next()?, words.next()?);
    let part = match command {
        "up" => Part::Up,
        "down" => Part::Down,
        "statementbegin" | "statementend" | "no" | "envsub" => Part::Other,
        _ => return None,
    };
    match name {
        "goose" => Some(("goose", part)),
        "migrate" => Some(("sql-migrate", part)),
        "micrate" => Some(("micrate", part)),
        _ => (part != Part::Other && words.next().is_none()).then_some((UNNAMED, part)),
    }
}

/// `up`, `down transaction:false`; behind `migrate:`.
fn dbmate(rest: &str) -> Option<Part> {
    let mut words = rest.split_whitespace();
    let part = match words.next()? {
        "up" => Part::Up,
        "down" => Part::Down,
        _ => return None,
    };
    words.all(|it| it.contains(':')).then_some(part)
}

/// The header of a committed migration: `--! Previous: -`.
fn graphile(text: &str) -> Option<(&'static str, Part, Evidence)> {
    const KEYS: [&str; 8] = [
        "previous:",
        "hash:",
        "message:",
        "split:",
        "include:",
        "included",
        "no-transaction",
        "allowinvalidhash",
    ];
    let key = text.strip_prefix('!')?.trim_start();
    let is_one = KEYS.iter().any(|it| key.starts_with(it));
    is_one.then_some(("graphile-migrate", Part::Other, Evidence::Exact))
}

/// A comment that holds no more than the name of a direction.
fn unnamed(text: &str) -> Option<Part> {
    const AROUND: [&str; 8] =
        ["migrate", "migration", "migrations", "section", "script", "sql", "begin", "name"];
    let words = text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    let mut words = words.filter(|it| !AROUND.contains(it));
    match (words.next()?, words.next()) {
        ("up" | "ups" | "upgrade" | "do" | "apply" | "deploy" | "forward" | "forwards", None) => {
            Some(Part::Up)
        }
        (
            "down" | "downs" | "downgrade" | "undo" | "rollback" | "revert" | "backward"
            | "backwards",
            None,
        ) => Some(Part::Down),
        _ => None,
    }
}

impl fmt::Display for ToolMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ToolMark { tool, text, .. } = self;
        match self.part {
            Part::Down => write!(
                f,
                "`{text}` starts a down section of {tool}, which would run here as part of the up \
                 script"
            ),
            Part::Up | Part::Other => {
                write!(f, "`{text}` is a directive of {tool}, and would be ignored as a comment")
            }
        }
    }
}

impl ToolMark {
    pub(crate) fn help(&self) -> String {
        let ToolMark { tool, .. } = self;
        let by_hand = match self.part {
            Part::Down => {
                "move the statements below this line to a file of the same name in `down/`, and \
                 delete the comments of the other tool"
            }
            Part::Up => {
                "delete the comments of the other tool; a down section belongs in `down/`, under \
                 the name of this file"
            }
            Part::Other if *tool == "Liquibase" => {
                "write each changeset to its own file, and its `--rollback` to `down/` under the \
                 same name, and delete the comments of Liquibase"
            }
            Part::Other => {
                "write the equivalent directive of upfront, such as `-- atlas:txmode none` \
                 on the first line, and delete the comment"
            }
        };
        format!("{by_hand}; `upfront import` converts only folders of sqlx and golang-migrate")
    }
}

#[cfg(test)]
mod tests {
    use super::tool_mark;

    #[test]
    fn recognises_sections_of_other_tools() {
        check("-- +goose Up\nx;\n-- +goose Down\ny;", Some(("goose", 3)));
        check("--+goose up\nx;\n  --  +GOOSE  DOWN  \ny;", Some(("goose", 3)));
        check("-- +goose StatementBegin\nx;\n-- +goose StatementEnd", Some(("goose", 1)));
        check("-- +goose NO TRANSACTION\n-- +goose Up\n", Some(("goose", 1)));
        check("-- +migrate Up notransaction\nx;\n-- +migrate Down\n", Some(("sql-migrate", 3)));
        check("-- +micrate Down\r\n", Some(("micrate", 1)));
        check("-- +acme Down\n", Some(("another migration tool", 1)));
        check("-- migrate:up\nx;\n--migrate:down transaction:false\ny;", Some(("dbmate", 3)));
        check("x;\n---- create above / drop below ----\ny;", Some(("tern", 2)));
        check("---- tern: disable-tx ----\nx;", Some(("tern", 1)));
        check("-- Up Migration\nx;\n-- Down Migration\ny;", Some(("node-pg-migrate", 3)));
        check("x;\n--- down  migration ---\ny;", Some(("node-pg-migrate", 2)));
        check(
            "-- Up Migration (a)\nx;\n-- Down Migration: b\nDROP TABLE t;",
            Some(("node-pg-migrate", 3)),
        );
        check("-- rambler up\nx;\n-- rambler down\ny;", Some(("rambler", 3)));
        check("-- ==== UP ====\nx;\n-- ==== DOWN ====\ny;", Some(("shmig", 3)));
        check("-- !Ups\nx;\n-- !Downs\ny;", Some(("Play evolutions", 3)));
        check("x;\n# --- !Downs\ny;", Some(("Play evolutions", 2)));
        check("-- // First.\nx;\n-- //@UNDO\ny;", Some(("MyBatis Migrations", 3)));
        check("--liquibase formatted sql\n--changeset a:1\nx;", Some(("Liquibase", 1)));
        check("--! Previous: -\n--! Hash: sha1:0\n\nx;", Some(("graphile-migrate", 1)));
        check("-- Revert app:users from pg\n\nDROP TABLE users;", Some(("Sqitch", 1)));
        let home_made =
            [("-- UP", "-- DOWN"), ("-- @up", "-- @down"), ("--- upgrade", "--downgrade")];
        for (up, down) in home_made {
            let text = format!("{up}\nCREATE TABLE t ();\n{down}\nDROP TABLE t;\n");
            check(&text, Some(("another migration tool", 3)));
        }
        check(
            "-- migrate-up\nx;\n-- migrate-down\nALTER TABLE t DROP a",
            Some(("another migration tool", 3)),
        );
    }

    #[test]
    fn prose_strings_and_bodies_are_no_sections() {
        check("SELECT '\n-- +goose Down\n';", None);
        check("DO $$\n-- migrate:down\n$$;", None);
        check("/*\n-- +goose Down\n*/", None);
        check("-- taken over from goose: `-- +goose Down` was here\nx;", None);
        check("x; -- +goose Down", None);
        check("-- +goose is not used any more\nx;", None);
        check("-- migrate:up and migrate:down are dbmate's\nx;", None);
        check("-- down migration is in down/1_a.sql\nx;", None);
        check("-- Up Migration notes: none\nx;", None);
        check("-- Up migration: here.\n-- Down migration: in down/.\nCREATE TABLE t ();", None);
        check("-- create above / drop below\nx;", None);
        check(
            "-- up\nINSERT INTO arrows VALUES (1);\n-- down\nINSERT INTO arrows VALUES (2);",
            None,
        );
        check("-- down\nDROP TABLE t;\n-- up\nCREATE TABLE t ();", None);
        check("-- rollback\nDROP TABLE t;", None);
        check("-- scale up\nx;\n-- scale down\nDROP TABLE t;", None);
        check("--! important\nx;", None);
        check("-- deploy this to pg\nx;", None);
        check("-- deploy it: to pg\nx;", None);
    }

    fn check(sql: &str, expected: Option<(&str, u32)>) {
        let found = tool_mark(sql);
        assert_eq!(found.as_ref().map(|it| (it.tool(), it.line())), expected, "{sql}");
    }
}
