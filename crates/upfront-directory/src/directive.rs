//! Directives: `-- atlas:…` and `-- upfront:…` comments.
//!
//! Atlas reads directives from the block of comment lines at the very start of a file, and only
//! when a blank line or the end of the file follows. It silently ignores all others
//! (<https://github.com/ariga/atlas/blob/master/sql/migrate/dir.go>). Here they are
//! errors.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::canonical::{Canonical, Normalized};
use crate::hash::Hash;
use crate::lexer::{Lexer, TokenKind};
use crate::location::{Lines, Location};
use crate::sum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TxMode {
    #[default]
    File,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    pub(crate) mode: TxMode,
    pub(crate) delimiter: Option<String>,
    pub(crate) checkpoint: bool,
    pub(crate) breaking: bool,
    pub(crate) irreversible: Option<String>,
    /// The reason why a down script has no statement.
    pub(crate) nothing_to_undo: Option<String>,
    pub(crate) accepts: Vec<Hash>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DirectiveError {
    Misspelt(String),
    Unknown { tool: &'static str, name: String },
    Unsupported(String),
    SumIgnored,
    NotAlone(String),
    NoBlankLine(String),
    NotInHeader(String),
    BlockComment(String),
    NolintAlone,
    HashComment(String),
    Bytes(String, Normalized),
    OnlyUp(String),
    OnlyDown(String),
    TxModeAll,
    Value { name: String, value: String, wants: &'static str },
    Contradiction(String),
    DelimiterPlace,
    DelimiterText(String),
}

/// The tools whose directives are read.
const TOOLS: [&str; 2] = ["atlas", "upfront"];
const ATLAS: [&str; 9] =
    ["txmode", "delimiter", "nolint", "checkpoint", "sum", "txtar", "import", "assert", "lint"];
const UPFRONT: [&str; 6] =
    ["breaking", "irreversible", "nothing-to-undo", "accepts", "lock-timeout", "statement-timeout"];

/// Reads the directives of a file and their errors.
pub(crate) fn read(
    file: &Canonical,
    direction: Direction,
) -> (Directives, Vec<(Location, DirectiveError)>) {
    let mut reader = Reader {
        lines: Lines::of(&file.text),
        header: Header::of(&file.text),
        file,
        direction,
        seen: Vec::new(),
        read: Directives::default(),
        errors: Vec::new(),
    };
    if !may_hold_directive(&file.text) {
        return (reader.read, reader.errors);
    }
    reader.hash_comments();
    for token in Lexer::of(&file.text).map_while(Result::ok) {
        match token.kind {
            TokenKind::LineComment => reader.line_comment(token.start, token.text(&file.text)),
            TokenKind::BlockComment => reader.block_comment(token.start, token.text(&file.text)),
            _ => {}
        }
    }
    if sum::is_ignored(file.text.as_bytes())
        && !reader.seen.iter().any(|(name, _)| name == "atlas:sum")
    {
        reader.errors.push((Location::line(1), DirectiveError::SumIgnored));
    }
    (reader.read, reader.errors)
}

/// A fast check whether the text contains the name of a tool. The standard library is optimized in
/// build scripts, too.
fn may_hold_directive(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TOOLS.iter().any(|it| text.contains(it))
}

/// The comment lines at the start of the file.
struct Header {
    lines: usize,
    /// Followed by a blank line or the end of the file, without which Atlas does not see the block.
    is_closed: bool,
}

impl Header {
    fn of(text: &str) -> Header {
        let is_comment = |line: &&str| line.starts_with("--") || line.starts_with('#');
        let mut rest = text.split_inclusive('\n');
        let header: Vec<_> = rest.by_ref().take_while(is_comment).collect();
        let next = text.split_inclusive('\n').nth(header.len());
        let ends = |line: &str| line.ends_with('\n');
        let is_closed = header.last().is_some_and(|it| ends(it))
            && next
                .is_none_or(|line| ends(line) && line.trim_matches([' ', '\t', '\n']).is_empty());
        Header { lines: header.len(), is_closed }
    }
}

/// A comment that is, or looks like, a directive.
struct Candidate<'a> {
    tool: &'static str,
    name: &'a str,
    value: &'a str,
    is_exact: bool,
}

impl<'a> Candidate<'a> {
    /// `comment` is what follows the comment's mark.
    fn of(comment: &'a str) -> Option<Candidate<'a>> {
        let comment = comment.trim();
        let tool = TOOLS.into_iter().find(|tool| {
            comment.get(..tool.len()).is_some_and(|it| it.eq_ignore_ascii_case(tool))
        })?;
        let after = &comment[tool.len()..];
        let rest = after.trim_start();
        let named = rest.strip_prefix(':');
        let rest = named.unwrap_or(rest);
        let is_exact = named.is_some()
            && comment.starts_with(tool)
            && after.starts_with(':')
            && rest.starts_with(|it: char| it.is_alphanumeric());
        let rest = rest.trim_start();
        let length = rest
            .find(|it: char| !it.is_alphanumeric() && it != '_' && it != '-')
            .unwrap_or(rest.len());
        let (name, value) = rest.split_at(length);
        let it = Candidate { tool, name, value: value.trim(), is_exact };
        let is_one =
            it.is_exact || (it.is_known() && (named.is_some() || (after != rest && it.could_be())));
        is_one.then_some(it)
    }

    fn is_known(&self) -> bool {
        self.known().iter().any(|it| it.eq_ignore_ascii_case(self.name))
    }

    fn known(&self) -> &'static [&'static str] {
        if self.tool == "atlas" { &ATLAS } else { &UPFRONT }
    }

    /// Whether a comment without the colon can hardly be meant as prose.
    fn could_be(&self) -> bool {
        match self.name.to_ascii_lowercase().as_str() {
            "txmode" | "delimiter" | "nolint" | "lock-timeout" | "statement-timeout"
            | "nothing-to-undo" => true,
            "sum" => self.value == "ignore",
            "accepts" => self.value.parse::<Hash>().is_ok(),
            _ => self.value.is_empty(),
        }
    }

    fn full(&self) -> String {
        format!("{}:{}", self.tool, self.name)
    }
}

struct Reader<'a> {
    file: &'a Canonical,
    lines: Lines<'a>,
    header: Header,
    direction: Direction,
    seen: Vec<(String, String)>,
    read: Directives,
    errors: Vec<(Location, DirectiveError)>,
}

impl Reader<'_> {
    /// Atlas reads `#` for a comment in the header; PostgreSQL does not.
    fn hash_comments(&mut self) {
        let lines = self.file.text.split('\n').take(self.header.lines).enumerate();
        for (at, line) in lines {
            if let Some(found) = line.strip_prefix('#').and_then(Candidate::of) {
                let error = DirectiveError::HashComment(found.full());
                self.refuse(Location::line(at + 1), error, found.name, found.value);
            }
        }
    }

    fn line_comment(&mut self, start: usize, comment: &str) {
        let location = self.lines.location(start);
        let line = location.line as usize;
        let in_header = line <= self.header.lines && location.column == Some(1);
        let Some(found) = Candidate::of(&comment[2..]) else {
            if in_header && self.header.is_closed {
                self.prose(location, comment);
            }
            return;
        };
        if let Err(error) = self.directive(&found, comment, line, in_header) {
            self.refuse(location, error, found.name, found.value);
        }
    }

    /// The intended mode applies to the checks of the statements: one mistake is one error.
    fn refuse(&mut self, location: Location, error: DirectiveError, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("txmode") && value.trim().eq_ignore_ascii_case("none") {
            self.read.mode = TxMode::None;
        }
        self.errors.push((location, error));
    }

    /// Atlas takes a directive from the middle of a line too.
    fn prose(&mut self, location: Location, comment: &str) {
        let Some((before, rest)) = comment.rsplit_once("atlas:") else {
            return;
        };
        let is_printable = before.bytes().all(|it| (b' '..=b'~').contains(&it));
        let length =
            rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len());
        let name = &rest[..length];
        if is_printable && ATLAS.contains(&name) {
            self.refuse(
                location,
                DirectiveError::NotAlone(format!("atlas:{name}")),
                name,
                &rest[length..],
            );
        }
    }

    fn block_comment(&mut self, start: usize, comment: &str) {
        let location = self.lines.location(start);
        let inner = comment[2..].strip_suffix("*/").unwrap_or_default();
        let is_one_line = !comment.contains('\n');
        for (at, line) in inner.split('\n').enumerate() {
            let Some(found) = Candidate::of(line.trim_start_matches([' ', '\t', '*', '-', '#']))
            else {
                continue;
            };
            if is_one_line && found.is_exact && found.name == "nolint" {
                continue;
            }
            let location =
                if at == 0 { location } else { Location::line(location.line as usize + at) };
            self.refuse(
                location,
                DirectiveError::BlockComment(found.full()),
                found.name,
                found.value,
            );
        }
    }

    fn directive(
        &mut self,
        found: &Candidate<'_>,
        comment: &str,
        line: usize,
        in_header: bool,
    ) -> Result<(), DirectiveError> {
        let full = found.full();
        self.seen.push((full.clone(), found.value.to_owned()));
        if !found.is_exact {
            let full = format!("{} {}", full.to_ascii_lowercase(), found.value);
            return Err(DirectiveError::Misspelt(full.trim_end().to_owned()));
        }
        if !found.known().contains(&found.name) || full == "atlas:lint" {
            return Err(DirectiveError::Unknown { tool: found.tool, name: found.name.to_owned() });
        }
        if matches!(found.name, "txtar" | "import" | "assert") {
            return Err(DirectiveError::Unsupported(full));
        }
        if self.file.normalized != Normalized::Nothing {
            return Err(DirectiveError::Bytes(full, self.file.normalized));
        }
        match full.as_str() {
            "atlas:sum" => Err(DirectiveError::SumIgnored),
            "atlas:nolint" => self.nolint(line, in_header),
            "atlas:delimiter" => self.delimiter(comment, line),
            _ if !in_header => Err(DirectiveError::NotInHeader(full)),
            _ if !self.header.is_closed => Err(DirectiveError::NoBlankLine(full)),
            _ => self.value(found, full),
        }
    }

    /// It counts for the file in the header, and elsewhere for the statement that follows at once.
    fn nolint(&self, line: usize, in_header: bool) -> Result<(), DirectiveError> {
        let next = self.file.text.split('\n').nth(line).unwrap_or_default();
        if next.trim().is_empty() && !in_header { Err(DirectiveError::NolintAlone) } else { Ok(()) }
    }

    fn delimiter(&mut self, comment: &str, line: usize) -> Result<(), DirectiveError> {
        let value = comment
            .strip_prefix("-- atlas:delimiter")
            .filter(|_| line == 1 && self.file.text.starts_with(comment));
        let value = value.ok_or(DirectiveError::DelimiterPlace)?.trim_start_matches(' ');
        let delimiter = value.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t");
        let is_bad = |it: char| {
            let is_line_end = it == '\n' || it == '\t';
            !it.is_ascii() || "'\"`$()\\".contains(it) || (it.is_control() && !is_line_end)
        };
        if value.is_empty() || value.ends_with([' ', '\t']) || delimiter.contains(is_bad) {
            return Err(DirectiveError::DelimiterText(value.to_owned()));
        }
        self.read.delimiter = Some(delimiter);
        Ok(())
    }

    fn value(&mut self, found: &Candidate<'_>, full: String) -> Result<(), DirectiveError> {
        let Candidate { name, value, .. } = *found;
        if self.direction == Direction::Down
            && matches!(name, "breaking" | "irreversible" | "accepts" | "checkpoint")
        {
            return Err(DirectiveError::OnlyUp(full));
        }
        if self.direction == Direction::Up && name == "nothing-to-undo" {
            return Err(DirectiveError::OnlyDown(full));
        }
        let repeats = |it: &&(String, String)| it.0 == full && it.1 != value;
        if name != "accepts" && self.seen.iter().any(|it| repeats(&it)) {
            return Err(DirectiveError::Contradiction(full));
        }
        let wrong = |wants| DirectiveError::Value { name: full, value: value.to_owned(), wants };
        match name {
            "txmode" => match value {
                "none" => self.read.mode = TxMode::None,
                "file" => self.read.mode = TxMode::File,
                "all" => return Err(DirectiveError::TxModeAll),
                _ => return Err(wrong("`none` or `file`")),
            },
            "checkpoint" => self.read.checkpoint = true,
            "breaking" if value.is_empty() => self.read.breaking = true,
            "breaking" => return Err(wrong("nothing after it")),
            "irreversible" | "nothing-to-undo" if value.is_empty() => {
                return Err(wrong("a reason"));
            }
            "irreversible" => self.read.irreversible = Some(value.to_owned()),
            "nothing-to-undo" => self.read.nothing_to_undo = Some(value.to_owned()),
            "accepts" => {
                let hash = value.parse().map_err(|_| wrong("a hash of 64 hexadecimal digits"))?;
                self.read.accepts.push(hash);
            }
            "lock-timeout" => {
                self.read.lock_timeout = Some(duration(value).ok_or_else(|| wrong(DURATION))?);
            }
            "statement-timeout" => {
                self.read.statement_timeout = Some(duration(value).ok_or_else(|| wrong(DURATION))?);
            }
            it => unreachable!("`{it}` is a known directive without a reader"),
        }
        Ok(())
    }
}

const DURATION: &str = "a time such as `500ms`, `5s`, `10min` or `1h`, from 1ms to 24 days";

/// A time as PostgreSQL writes it, within what its settings hold: they count milliseconds in 32
/// bits.
fn duration(value: &str) -> Option<Duration> {
    let digits = value.find(|it: char| !it.is_ascii_digit())?;
    let (count, unit) = value.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = count.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=i32::MAX as u64).contains(&millis).then(|| Duration::from_millis(millis))
}

impl fmt::Display for DirectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirectiveError::Misspelt(full) => {
                write!(
                    f,
                    "this looks like a misspelled `-- {full}`, and would be ignored as a \
                           comment"
                )
            }
            DirectiveError::Unknown { tool, name } => {
                write!(f, "there is no directive `{tool}:{name}`")
            }
            DirectiveError::Unsupported(full) => write!(f, "`{full}` is not supported"),
            DirectiveError::SumIgnored => f.write_str(
                "`atlas:sum ignore` leaves this file out of `atlas.sum`, and Atlas cannot apply it",
            ),
            DirectiveError::NotAlone(full) => {
                write!(f, "Atlas reads `{full}` in this line as a directive")
            }
            DirectiveError::NoBlankLine(full) => {
                write!(
                    f,
                    "Atlas does not see `{full}`: no blank line follows the comments at the top"
                )
            }
            DirectiveError::NotInHeader(full) => {
                write!(
                    f,
                    "Atlas does not see `{full}` here: it is not in the comments on the first lines"
                )
            }
            DirectiveError::BlockComment(full) => {
                write!(f, "Atlas does not see `{full}` in a `/* */` comment")
            }
            DirectiveError::NolintAlone => f.write_str(
                "`atlas:nolint` does not precede a \
                                                        statement",
            ),
            DirectiveError::HashComment(full) => {
                write!(f, "`{full}` follows a `#`, which does not start a comment in PostgreSQL")
            }
            DirectiveError::Bytes(full, Normalized::ByteOrderMark) => {
                write!(f, "Atlas does not see `{full}`: the file starts with a byte order mark")
            }
            DirectiveError::Bytes(full, _) => {
                write!(f, "Atlas does not see `{full}`: the lines of this file end in CRLF")
            }
            DirectiveError::OnlyUp(full) => write!(f, "`{full}` has no effect in a down script"),
            DirectiveError::OnlyDown(full) => write!(
                f,
                "`{full}` is allowed only in a down \
                                                         script"
            ),
            DirectiveError::TxModeAll => f.write_str("`atlas:txmode all` cannot be set in a file"),
            DirectiveError::Value { name, value, wants } if value.is_empty() => {
                write!(f, "`{name}` needs {wants}")
            }
            DirectiveError::Value { name, value, wants } => {
                write!(f, "`{name}` needs {wants}, not `{value}`")
            }
            DirectiveError::Contradiction(full) => {
                write!(f, "`{full}` is repeated with a different value")
            }
            DirectiveError::DelimiterPlace => f.write_str(
                "`atlas:delimiter` is read only on the first line, written exactly as `-- \
                 atlas:delimiter`",
            ),
            DirectiveError::DelimiterText(text) if text.is_empty() => {
                f.write_str("`atlas:delimiter` needs a delimiter")
            }
            DirectiveError::DelimiterText(text) => write!(f, "`{text}` cannot be a delimiter"),
        }
    }
}

impl DirectiveError {
    pub(crate) fn help(&self) -> Cow<'static, str> {
        let fixed = match self {
            DirectiveError::Misspelt(full) | DirectiveError::HashComment(full) => {
                return format!("write `-- {full}`").into();
            }
            DirectiveError::NotAlone(full) => {
                return format!(
                    "write `-- {full} …` on a line of its own, or reword the \
                                comment"
                )
                .into();
            }
            DirectiveError::BlockComment(full) => {
                return format!("write `-- {full}` on the first line, and a blank line below")
                    .into();
            }
            DirectiveError::Unknown { tool: "upfront", .. } => {
                return format!("the directives are `{}`", UPFRONT.join("`, `")).into();
            }
            DirectiveError::Unknown { .. } => {
                "the directives are `txmode`, `delimiter`, `nolint` and `checkpoint`"
            }
            DirectiveError::Unsupported(_) => {
                "write the up script as plain SQL, and its down script to `down/` under the same \
                 name"
            }
            DirectiveError::SumIgnored => "remove the directive, then run `upfront hash`",
            DirectiveError::NoBlankLine(_) => {
                "leave a blank line between these comments and the first statement"
            }
            DirectiveError::NotInHeader(_) => {
                "move it to the first line, and leave a blank line below"
            }
            DirectiveError::NolintAlone => {
                "put it on the line above the statement, without a blank line between"
            }
            DirectiveError::Bytes(_, Normalized::ByteOrderMark) => "save the file without it",
            DirectiveError::Bytes(..) => {
                "add `*.sql text eol=lf` to `.gitattributes`, and check out the files again"
            }
            DirectiveError::OnlyUp(_) => "move it to the up script",
            DirectiveError::OnlyDown(_) => {
                "move it into the file of the same name in `down/`; for a migration that cannot be \
                 rolled back write `-- upfront:irreversible REASON`"
            }
            DirectiveError::TxModeAll => "write `none` or `file`",
            DirectiveError::Value { .. } | DirectiveError::Contradiction(_) => {
                "correct or remove it"
            }
            DirectiveError::DelimiterPlace => "move it there, or remove it",
            DirectiveError::DelimiterText(_) => {
                "use ASCII characters without quotes, `$`, parentheses or trailing blanks, such \
                 as `-- end` or `\\n\\n`"
            }
        };
        fixed.into()
    }
}
