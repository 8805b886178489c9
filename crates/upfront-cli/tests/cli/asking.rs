//! `gen` on a terminal, where it asks.

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use upfront_scratch::Server;

use crate::place::{Place, shows};

const ROWS: NonZero<u16> = NonZero::new(60).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();
const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const CONTROL_C: &str = "\x03";

/// A command in a terminal, its keys and its screen.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    fn run(place: &Place, arguments: &[&str]) -> Self {
        let size =
            PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_upfront"));
        command.args(arguments);
        command.cwd(place.path(""));
        command.env_clear();
        let server = Server::shared().unwrap();
        command.env("UPFRONT_SCRATCH_URL", server.url("postgres"));
        command.env("TERM", "xterm");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let (sender, bytes) = channel();
        thread::spawn(move || {
            let _master = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keys, bytes, screen: vt100::Parser::new(ROWS, COLUMNS, 0) }
    }

    /// Reads until this is on the screen, and types the keys.
    fn answer(&mut self, seen: &str, keys: &str) {
        while !self.text().contains(seen) {
            match self.bytes.recv_timeout(Duration::from_secs(60)) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(err) => panic!("`{seen}` is not there ({err}):\n{}", self.text()),
            }
        }
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn text(&self) -> String {
        let text = self.screen.screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// The exit code and what is on the screen at the end.
    fn end(mut self) -> String {
        while let Ok(bytes) = self.bytes.recv() {
            self.screen.process(&bytes);
        }
        format!("exit code {}\n{}", self.child.wait().unwrap().exit_code(), self.text())
    }
}

/// Each deletes something for good.
#[test]
fn removing_a_protection_and_resolving_are_asked_for() {
    let database = Server::shared().unwrap().database().unwrap();
    let url = database.url();
    let it = Place::on(&database, &[("migrations/1_a.sql", "CREATE TABLE a ();\n")]);
    for command in ["hash", "up", "protect"] {
        assert!(it.run(command).starts_with("exit code 0"));
    }
    for (arguments, question, answer, exit) in [
        (["protect", "--remove"].as_slice(), "Remove the protection that postgres set", "n", 5),
        (&["protect", "--remove"], "Remove the protection that postgres set", "y", 0),
        (&["resolve", "1", "--rolled-back"], "without running anything: 1_a? [y/N]", "", 5),
        (&["resolve", "1", "--rolled-back"], "without running anything: 1_a? [y/N]", "yes", 0),
        (&["resolve", "1", "--applied", "--yes"], "", "", 0),
    ] {
        let mut terminal = Terminal::run(&it, &[arguments, &["--url", &url]].concat());
        if !question.is_empty() {
            terminal.answer(question, &format!("{answer}{ENTER}"));
        }
        let shown = terminal.end();
        assert!(shown.starts_with(&format!("exit code {exit}\n")), "{arguments:?}: {shown}");
    }
    assert!(it.run("check").starts_with("exit code 0"));
}

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, nick text, full_name text);\n";
const WANTED: &str = "\
CREATE TABLE people (id bigint PRIMARY KEY, nickname text, name text, age int NOT NULL);
";

fn place() -> Place {
    let it = Place::with(&[
        ("upfront.toml", "[desired]\nsql = \"schema.sql\"\n"),
        ("migrations/1_users.sql", USERS),
        ("migrations/down/1_users.sql", "DROP TABLE users;\n"),
        ("schema.sql", WANTED),
    ]);
    assert!(it.run("hash").starts_with("exit code 0"));
    it.variable("UPFRONT_SCRATCH_URL", &Server::shared().unwrap().url("postgres"))
}

#[test]
fn answers_are_options() {
    let it = place();
    it.write("schema.sql", &WANTED.replace("people", "users"));
    let mut terminal = Terminal::run(&it, &["gen", "ask"]);
    // What is most alike comes first.
    terminal.answer("became of column public.users.nick?", ENTER);
    terminal.answer("became of column public.users.full_name", ENTER);
    terminal.answer("What do the rows get", &format!("18{ENTER}"));
    shows!("asked_on_a_terminal", terminal.end());
    let files = it.files();
    let by_options = place();
    by_options.write("schema.sql", &it.read("schema.sql"));
    by_options.run(
        "gen ask --rename public.users.nick=nickname --rename public.users.full_name=name --fill \
         public.users.age=18",
    );
    assert_eq!(by_options.files(), files);
    let same = files.iter().all(|file| by_options.read(file) == it.read(file));
    assert!(same && files.iter().any(|it| it.ends_with("2_ask.sql")));
}

#[test]
fn no_is_an_answer() {
    let it = place();
    it.write("schema.sql", "CREATE TABLE users (id bigint PRIMARY KEY, a text, b text);\n");
    let mut terminal = Terminal::run(&it, &["gen", "ask", "--allow", "data-loss", "--dry-run"]);
    terminal.answer("became of column public.users.nick?", &format!("{DOWN}{DOWN}{ENTER}"));
    terminal.answer("became of column public.users.full_name", &format!("{DOWN}{ENTER}"));
    shows!("no_on_a_terminal", terminal.end());
}

#[test]
fn a_table_is_asked_about_before_its_columns() {
    let it = place();
    it.write("schema.sql", "CREATE TABLE people (id bigint PRIMARY KEY, nick text, name text);\n");
    let mut terminal = Terminal::run(&it, &["gen", "ask", "--dry-run"]);
    terminal.answer("became of table public.users?", ENTER);
    terminal.answer("became of column public.people.full_name?", ENTER);
    shows!("a_table_and_a_column_on_a_terminal", terminal.end());
}

#[test]
fn stopping_writes_nothing() {
    let it = place();
    it.write("schema.sql", &WANTED.replace("people", "users"));
    let before = it.files();
    let mut terminal = Terminal::run(&it, &["gen", "ask"]);
    terminal.answer("became of column public.users.nick?", CONTROL_C);
    shows!("stopped_on_a_terminal", terminal.end());
    it.write("schema.sql", &USERS.replace(");", ", age int NOT NULL);"));
    let mut terminal = Terminal::run(&it, &["gen", "ask"]);
    terminal.answer("What do the rows get", ENTER);
    shows!("no_value_on_a_terminal", terminal.end());
    assert_eq!(it.files(), before);
}

#[test]
fn each_object_that_goes_is_asked_for() {
    let it = place();
    let settings = "# ours\n[desired]\ncommand = \"/bin/cat schema.sql\" # the ORM\n";
    it.write("upfront.toml", settings);
    it.write(
        "migrations/2_by_hand.sql",
        "CREATE INDEX one ON users (nick);\nCREATE INDEX two ON users (lower(nick));\n\
         CREATE INDEX three ON users (full_name);\n",
    );
    assert!(it.run("hash").starts_with("exit code 0"));
    it.write("schema.sql", USERS);
    let mut terminal = Terminal::run(&it, &["gen", "ask"]);
    terminal.answer("dropping index public.one?", ENTER);
    terminal.answer("dropping index public.two?", &format!("{DOWN}{DOWN}{ENTER}"));
    terminal.answer("dropping index public.three?", &format!("{DOWN}{ENTER}"));
    shows!("drops_on_a_terminal", terminal.end());
    let exclude = "exclude = [\"index public.three\"]\n";
    assert_eq!(it.read("upfront.toml"), format!("{settings}{exclude}"));
    let files = it.files();
    let file = files.iter().find(|it| it.ends_with("_ask.sql") && !it.contains("down")).unwrap();
    assert!(it.read(file).ends_with("DROP INDEX CONCURRENTLY public.two;\n"));
}
