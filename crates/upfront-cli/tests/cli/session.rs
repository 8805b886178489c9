//! Sessions in documents, typed into a terminal of 80 columns.

use std::{
    env, fs,
    num::NonZero,
    path::{Path, PathBuf},
};

use portable_pty::{CommandBuilder, PtySize};

use upfront_scratch::Server;

use crate::place::{Place, in_terminal};

const ROWS: NonZero<u16> = NonZero::new(90).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

/// What a person sees.
fn typed(command: &str, place: &Place, variables: &[(&str, &str)]) -> String {
    let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
    let mut shell = CommandBuilder::new("bash");
    shell.args(["-c", command]);
    shell.cwd(place.path(""));
    shell.env_clear();
    let program = Path::new(env!("CARGO_BIN_EXE_upfront")).parent().unwrap();
    let psql = PathBuf::from(Server::shared().unwrap().bin("psql").get_program());
    let psql = psql.parent().unwrap().to_owned();
    let path = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let path = env::join_paths([program.to_owned(), psql].into_iter().chain(path)).unwrap();
    shell.env("PATH", path);
    shell.env("TERM", "xterm");
    for (name, it) in variables {
        shell.env(name, it);
    }
    let bytes = in_terminal(shell, size);
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    screen.process(&bytes);
    screen.screen().contents().trim_end().to_owned()
}

/// Types commands one after the other. `DIGEST` in a command is the last one that was printed.
pub(crate) fn session(commands: &[&str], place: &Place, variables: &[(&str, &str)]) -> String {
    let mut steps = String::new();
    for command in commands {
        let command = command.replace("DIGEST", last_digest(&steps));
        let seen = typed(&command, place, variables);
        let end = if seen.is_empty() { "" } else { "\n" };
        steps = format!("{steps}$ {command}\n{seen}{end}");
    }
    format!("```console\n{steps}```\n")
}

fn last_digest(text: &str) -> &str {
    let is_digest = |it: &&str| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit());
    text.split_whitespace().rfind(is_digest).unwrap_or("DIGEST")
}

/// Without what is another one each time.
fn masked(text: &str) -> String {
    let words = text.split_inclusive(|it: char| it.is_whitespace() || "_/`".contains(it));
    let mask = |it: &str| {
        let digits = it.bytes().filter(u8::is_ascii_digit).count();
        let is_time =
            digits > 0 && (it.trim_end().ends_with("ms") || it.trim_end().ends_with("µs"));
        let is_clock = digits == 6 && it.matches(':').count() == 2;
        if digits > 6 || is_time || is_clock { "…".to_owned() } else { it.to_owned() }
    };
    words.map(mask).collect()
}

/// A document of the repository.
pub(crate) fn document(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Compares the session in a document; `UPFRONT_README=write` rewrites it.
pub(crate) fn compare(path: &str, session: &str) {
    let (begin, end) = ("<!-- session -->\n", "<!-- /session -->");
    let text = fs::read_to_string(document(path)).unwrap();
    let (head, rest) = text.split_once(begin).unwrap();
    let (shown, tail) = rest.split_once(end).unwrap();
    if env::var("UPFRONT_README").is_ok_and(|it| it == "write") {
        fs::write(document(path), format!("{head}{begin}{session}{end}{tail}")).unwrap();
        return;
    }
    assert_eq!(masked(shown), masked(session));
}
