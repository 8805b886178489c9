//! What stops a command, with the place in a file where there is one.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use upfront::cli::{Exit, Output};

/// Why a command stopped: one thing that is wrong or several, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    notes: Vec<Note>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Note {
    title: String,
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

    /// An error of the library, with its words for a command line.
    pub(crate) fn of_library(err: &upfront::Error) -> Self {
        let text = err.to_string();
        let mut lines = text.lines();
        let first = Self::new(Exit::of(err), lines.next().unwrap_or_default());
        lines.fold(first, |it, line| it.more(line.strip_prefix("  ").unwrap_or(line)))
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

    /// Says where it stands in a text.
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
        let is_shown =
            |it: &&String| !it.trim_start().starts_with(|c: char| "|0123456789".contains(c));
        let line = |it: &Note| {
            let more = it.more.iter().filter(is_shown).map(|it| it.trim());
            std::iter::once(it.title.as_str()).chain(more).collect::<Vec<_>>().join("; ")
        };
        self.notes.first().map(line).unwrap_or_default()
    }

    fn last(&mut self) -> &mut Note {
        self.notes.last_mut().expect("a failure has a note")
    }

    /// Prints it.
    pub(crate) fn print(&self, output: &Output) -> Exit {
        match output.is_json() {
            true => {
                let text = self.text(&Renderer::plain());
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                output.error(self.exit, text);
            }
            false => output.note(&Output::completed(&self.text(&Renderer::styled()))),
        }
        self.exit
    }

    fn text(&self, renderer: &Renderer) -> String {
        let notes = self.notes.iter().map(|it| it.text(renderer));
        notes.collect::<Vec<_>>().join("\n\n")
    }
}

impl Note {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), place: None, more: Vec::new(), help: Vec::new() }
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
    fn text(&self, renderer: &Renderer) -> String {
        let title = Group::with_title(Level::ERROR.primary_title(self.title.as_str()));
        let file = match &self.place {
            Some(Location::Span { path, text, first_line, span }) => {
                let snippet = Snippet::source(text.as_str()).path(path.as_str());
                let marked = AnnotationKind::Primary.span(span.clone());
                let group = title.element(snippet.line_start(*first_line).annotation(marked));
                let more = self.more.iter().map(|it| Level::NOTE.message(it.as_str()));
                let help = self.help.iter().map(|it| Level::HELP.message(it.as_str()));
                return renderer.render(&[group.elements(more).elements(help)]);
            }
            Some(Location::Bare { path, line, column }) => {
                let number = |it: &Option<usize>| it.map(|it| format!(":{it}")).unwrap_or_default();
                Some(format!("file: {path}{}{}", number(line), number(column)))
            }
            None => None,
        };
        let help = self.help.iter().map(|it| format!("help: {it}"));
        let lines = file.into_iter().chain(self.more.iter().cloned()).chain(help);
        let lines: Vec<_> = std::iter::once(renderer.render(&[title])).chain(lines).collect();
        lines.join("\n  ")
    }
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
