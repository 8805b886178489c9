//! What stops a command, with the place in a file where there is one.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use clap::builder::styling::{AnsiColor, Style};
use upfront::{
    ErrorKind,
    cli::{Exit, Output},
};

/// Why a command stopped: one thing that is wrong or several, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    notes: Vec<Note>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Note {
    /// The first line, or the whole text of an error of the library.
    title: String,
    /// The same on one line, without the lines that show where.
    summary: Option<String>,
    /// The kind of an error of the library.
    kind: Option<ErrorKind>,
    place: Option<Location>,
    more: Vec<String>,
    help: Vec<String>,
}

#[derive(Debug)]
enum Location {
    /// A piece of a text.
    Span { path: String, text: String, first_line: usize, span: Range<usize> },
    /// No text to show.
    Bare { path: String, line: Option<usize>, column: Option<usize> },
}

impl Failure {
    /// The directory of migrations, the settings or the URL have a mistake.
    pub(crate) fn mistake(title: impl Into<String>) -> Self {
        Self::new(Exit::Mistaken, title)
    }

    /// An option, a variable or a setting has no value.
    pub(crate) fn empty(what: &str) -> Self {
        Self::mistake(format!("{what} is empty"))
    }

    pub(crate) fn new(exit: Exit, title: impl Into<String>) -> Self {
        Self { exit, notes: vec![Note::new(title)] }
    }

    /// All of them, with the exit code of the first.
    pub(crate) fn all(failures: Vec<Self>) -> Option<Self> {
        let exit = failures.first()?.exit;
        Some(Self { exit, notes: failures.into_iter().flat_map(|it| it.notes).collect() })
    }

    /// Several at once.
    pub(crate) fn of(exit: Exit, notes: Vec<Note>) -> Self {
        Self { exit, notes }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Says what to do.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.last().help.push(text.into());
        self
    }

    /// Says more of what happened.
    pub(crate) fn more(mut self, text: impl Into<String>) -> Self {
        self.last().more.push(text.into());
        self
    }

    /// Adds the place in a text.
    pub(crate) fn at(mut self, path: &str, text: &str, span: Range<usize>) -> Self {
        self.last().place = Some(Location::span(path, text, span));
        self
    }

    /// Says which file it is about.
    pub(crate) fn file(mut self, path: impl Into<String>) -> Self {
        self.last().place = Some(Location::Bare { path: path.into(), line: None, column: None });
        self
    }

    /// The first thing that is wrong, on one line, without the lines that show where.
    pub(crate) fn line(&self) -> String {
        let line = |it: &Note| {
            let title = it.summary.as_ref().unwrap_or(&it.title);
            let more = it.more.iter().map(|it| it.trim());
            std::iter::once(title.as_str()).chain(more).collect::<Vec<_>>().join("; ")
        };
        self.notes.first().map(line).unwrap_or_default()
    }

    fn last(&mut self) -> &mut Note {
        self.notes.last_mut().expect("a failure has a note")
    }

    /// Prints it.
    pub(crate) fn print(&self, output: &Output) -> Exit {
        if output.is_json() {
            output.error_of_kind(self.exit, &self.message(), self.kind());
        } else {
            let see = self.kind().map(Output::see).unwrap_or_default();
            let text = Output::completed(&self.text());
            output.note(&format!("{text}{see}"));
        }
        self.exit
    }

    /// The kind, if all of it is one error of the library.
    fn kind(&self) -> Option<ErrorKind> {
        match self.notes.as_slice() {
            [it] => it.kind,
            _ => None,
        }
    }

    /// The text without the word `error` in front, which JSON has in a field.
    fn message(&self) -> String {
        let label = |place: usize| if place == 0 { Label::None } else { Label::Plain };
        let text = |(it, place): (&Note, usize)| it.text(label(place));
        self.notes.iter().zip(0..).map(text).collect::<Vec<_>>().join("\n\n")
    }

    fn text(&self) -> String {
        let notes = self.notes.iter().map(|it| it.text(Label::Styled));
        notes.collect::<Vec<_>>().join("\n\n")
    }
}

impl Note {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        let (place, summary, kind) = (None, None, None);
        Self { title: title.into(), summary, kind, place, more: Vec::new(), help: Vec::new() }
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Says where it stands: in the text, if that may be shown.
    pub(crate) fn place(
        mut self,
        path: &str,
        text: Option<&str>,
        line: Option<u32>,
        column: Option<u32>,
    ) -> Self {
        let (line, column) = (line.map(|it| it as usize), column.map(|it| it as usize));
        let shown =
            text.zip(line).and_then(|(text, line)| Location::line(path, text, line, column));
        self.place = Some(shown.unwrap_or(Location::Bare { path: path.into(), line, column }));
        self
    }

    /// With the line that it stands on, or as the library prints its errors.
    fn text(&self, label: Label) -> String {
        let file = match &self.place {
            Some(Location::Span { path, text, first_line, span }) => {
                let snippet = Snippet::source(text.as_str()).path(path.as_str());
                let marked = AnnotationKind::Primary.span(span.clone());
                let group =
                    self.head(label).element(snippet.line_start(*first_line).annotation(marked));
                let more = self.more.iter().map(|it| Level::NOTE.message(it.as_str()));
                let help = self.help.iter().map(|it| Level::HELP.message(it.as_str()));
                return label.renderer().render(&[group.elements(more).elements(help)]);
            }
            Some(Location::Bare { path, line, column }) => {
                let number = |it: &Option<usize>| it.map(|it| format!(":{it}")).unwrap_or_default();
                Some(format!("file: {path}{}{}", number(line), number(column)))
            }
            None => None,
        };
        let help = self.help.iter().map(|it| format!("help: {it}"));
        let lines = file.into_iter().chain(self.more.iter().cloned()).chain(help);
        let first = match self.kind {
            // Its lines are laid out already.
            Some(_) => format!("{}{}", label.text(), self.title),
            None => label.renderer().render(&[self.head(label)]),
        };
        std::iter::once(first).chain(lines).collect::<Vec<_>>().join("\n  ")
    }

    fn head(&self, label: Label) -> Group<'_> {
        let level = match label {
            Label::None => Level::ERROR.no_name(),
            Label::Plain | Label::Styled => Level::ERROR,
        };
        Group::with_title(level.primary_title(self.title.as_str()))
    }
}

/// How `error:` is written in front of a text.
#[derive(Clone, Copy)]
enum Label {
    None,
    Plain,
    Styled,
}

impl Label {
    fn renderer(self) -> Renderer {
        match self {
            Self::None | Self::Plain => Renderer::plain(),
            Self::Styled => Renderer::styled(),
        }
    }

    fn text(self) -> String {
        let style = Style::new().bold().fg_color(Some(AnsiColor::BrightRed.into()));
        match self {
            Self::None => String::new(),
            Self::Plain => "error: ".to_owned(),
            Self::Styled => format!("{style}error:{style:#} "),
        }
    }
}

/// An error of the library, in the words of the command.
impl From<upfront::Error> for Failure {
    fn from(err: upfront::Error) -> Self {
        let note = Note {
            summary: Some(summary(&err)),
            kind: Some(err.kind()),
            ..Note::new(err.to_string())
        };
        Self::of(Exit::of(&err), vec![note])
    }
}

/// What the server said and where, else the whole text.
fn summary(err: &upfront::Error) -> String {
    let Some(server) = err.server_error() else { return err.to_string() };
    let place = err.location().map(|it| format!("{it}: ")).unwrap_or_default();
    let detail = server.detail.as_ref().map(|it| format!("; detail: {it}")).unwrap_or_default();
    format!("{place}{} (SQLSTATE {}){detail}", server.message, server.sqlstate)
}

impl Location {
    fn span(path: &str, text: &str, span: Range<usize>) -> Self {
        Self::Span { path: path.into(), text: text.into(), first_line: 1, span }
    }

    /// One line of a file of SQL. Secrets in it are hidden, and each letter keeps its column.
    fn line(path: &str, text: &str, line: usize, column: Option<usize>) -> Option<Self> {
        let before: usize =
            text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let raw = text.get(before..)?.lines().next()?.trim_end();
        let secrets = upfront_redact::secrets(text);
        let is_secret = |at: usize| secrets.iter().any(|it| it.contains(&(before + at)));
        let shown = |(at, letter): (usize, char)| if is_secret(at) { '*' } else { letter };
        let shown: String = raw.char_indices().map(shown).collect();
        let start = column
            .map_or(0, |it| shown.char_indices().nth(it - 1).map_or(shown.len(), |(at, _)| at));
        let span = match column {
            // The word that stands there.
            Some(_) => start..start + word(&shown[start..]),
            None => start..shown.len(),
        };
        Some(Self::Span { path: path.into(), text: shown, first_line: line, span })
    }
}

fn word(text: &str) -> usize {
    let is_end = |it: char| !it.is_alphanumeric() && it != '_';
    let length = text.find(is_end).unwrap_or(text.len());
    length.max(text.chars().next().map_or(0, char::len_utf8))
}
