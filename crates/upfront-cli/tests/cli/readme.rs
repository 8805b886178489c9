//! The session in the README, typed into a terminal of 80 columns.

use std::{
    env, fs,
    io::Read,
    num::NonZero,
    path::{Path, PathBuf},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use upfront_scratch::Server;

use crate::place::{self, Place};

const ROWS: NonZero<u16> = NonZero::new(60).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

const COMMANDS: [&str; 11] = [
    "upfront init",
    "upfront new create_users",
    "echo 'CREATE TABLE users (email text PRIMARY KEY);' >> migrations/*_create_users.sql",
    "echo 'DROP TABLE users;' >> migrations/down/*_create_users.sql",
    "upfront hash",
    "upfront up --dry-run",
    "upfront up",
    "psql \"$DATABASE_URL\" -c \"INSERT INTO users VALUES ('ada@example.org')\"",
    "upfront down",
    "upfront down --allow data-loss",
    "upfront status",
];

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

/// What a person sees.
fn typed(command: &str, place: &Place, url: &str) -> String {
    let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut shell = CommandBuilder::new("bash");
    shell.args(["-c", command]);
    shell.cwd(place.path(""));
    shell.env_clear();
    let program = Path::new(env!("CARGO_BIN_EXE_upfront")).parent().unwrap();
    let psql = PathBuf::from(Server::shared().unwrap().bin("psql").get_program());
    let psql = psql.parent().unwrap().to_owned();
    let path = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let path = env::join_paths([program.to_owned(), psql].into_iter().chain(path)).unwrap();
    for (name, it) in [("PATH", path), ("DATABASE_URL", url.into()), ("TERM", "xterm".into())] {
        shell.env(name, it);
    }
    let mut child = pair.slave.spawn_command(shell).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut bytes = Vec::new();
    // The end of a terminal whose program has ended is an error on some systems.
    let _ = reader.read_to_end(&mut bytes);
    child.wait().unwrap();
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    screen.process(&bytes);
    screen.screen().contents().trim_end().to_owned()
}

fn session() -> String {
    let (place, database) = (Place::new(), place::database());
    let url = database.url();
    let step = |command: &&str| match typed(command, &place, &url).as_str() {
        "" => format!("$ {command}\n"),
        seen => format!("$ {command}\n{seen}\n"),
    };
    let steps: String = COMMANDS.iter().map(step).collect();
    format!("```console\n{steps}```\n")
}

/// Without what is another one each time.
fn masked(text: &str) -> String {
    let words = text.split_inclusive(|it: char| it.is_whitespace() || "_/`".contains(it));
    let mask = |it: &str| {
        let digits = it.bytes().filter(u8::is_ascii_digit).count();
        let is_time =
            digits > 0 && (it.trim_end().ends_with("ms") || it.trim_end().ends_with("µs"));
        if digits > 6 || is_time { "…".to_owned() } else { it.to_owned() }
    };
    words.map(mask).collect()
}

/// `UPFRONT_README=write` writes it anew.
#[test]
fn the_readme_shows_the_session_as_it_prints() {
    let (begin, end) = ("<!-- session -->\n", "<!-- /session -->");
    let text = fs::read_to_string(readme()).unwrap();
    let (head, rest) = text.split_once(begin).unwrap();
    let (shown, tail) = rest.split_once(end).unwrap();
    let session = session();
    if env::var("UPFRONT_README").is_ok_and(|it| it == "write") {
        fs::write(readme(), format!("{head}{begin}{session}{end}{tail}")).unwrap();
        return;
    }
    assert_eq!(masked(shown), masked(&session));
}
