//! What is left of a server when the process that started it ends, and what others see of it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use upfront_scratch::{Error, Server};

/// Not a test: what the tests below run as a process of its own.
#[test]
fn helper() -> Result<(), Error> {
    let Ok(job) = env::var("HELPER") else { return Ok(()) };
    match job.as_str() {
        "hold" => {
            let server = Server::start()?;
            // It outlives us, and must not keep the server: it holds no copy of the pipe.
            let sleep = Command::new("sh").args(["-c", "sleep 10 >/dev/null 2>&1 &"]).status();
            assert!(sleep.expect("there is a shell").success());
            println!("\n= {}", server.socket_dir().expect("it is ours").display());
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        }
        "exit" => {
            let server = Server::shared()?;
            println!("\n= {}", server.socket_dir().expect("it is ours").display());
            process::exit(0);
        }
        "databases" => {
            let mut server = Server::start()?;
            let (one, two) = (server.database()?, server.database()?);
            one.execute("create table t ()")?;
            two.execute("create table t ()")?;
            println!("\n= {}", one.name());
            drop((one, two));
            println!("\n= {}", server.crash().unwrap_err());
            println!("\n= {}", server.log().unwrap_err());
        }
        "setting" => println!(
            "\n= {}",
            Server::builder().setting("log_statement", "all").start().unwrap_err()
        ),
        "start" => println!("\n= {}", Server::start().unwrap_err()),
        _ => unreachable!("no such job: {job}"),
    }
    Ok(())
}

#[test]
fn ends_with_a_killed_process() {
    let place = Place::new("killed");
    let mut folder = PathBuf::new();
    // A race between our exit and the end of the server once lost one in thirty.
    for _ in 0..8 {
        let mut child = command_in(&place.0, "hold").spawn().unwrap();
        folder = PathBuf::from(said(&mut child));
        let mut session = UnixStream::connect(folder.join(".s.PGSQL.5432")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let since = Instant::now();
        let _ = session.read_to_end(&mut Vec::new());
        eventually(|| UnixStream::connect(folder.join(".s.PGSQL.5432")).is_err());
        eventually(|| !folder.join("data").exists());
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }

    let mut next = command_in(&place.0, "hold").spawn().unwrap();
    said(&mut next);
    assert!(!folder.exists());
    end(next);
}

#[test]
fn ends_with_a_process_that_has_a_static_one() {
    let place = Place::new("exit");
    let mut child = command_in(&place.0, "exit").spawn().unwrap();
    let folder = PathBuf::from(said(&mut child));
    child.wait().unwrap();
    eventually(|| !folder.join("data").exists());
}

#[test]
fn sweeps_what_the_dead_left_and_nothing_else() {
    let place = Place::new("sweep");
    let (dead, other) = (place.0.join("upfront-scratch-4194999-1-0"), place.0.join("other"));
    fs::create_dir_all(dead.join("data")).unwrap();
    fs::create_dir_all(&other).unwrap();
    let mut first = command_in(&place.0, "hold").spawn().unwrap();
    let living = PathBuf::from(said(&mut first));
    let mut second = command_in(&place.0, "hold").spawn().unwrap();
    said(&mut second);
    assert!(!dead.exists());
    assert!(other.exists() && living.join("data").exists());
    end(first);
    end(second);
}

#[test]
fn shares_the_first_initdb_between_processes() {
    let place = Place::new("race");
    let mut all: Vec<_> = (0..3).map(|_| command_in(&place.0, "hold").spawn().unwrap()).collect();
    for it in &mut all {
        said(it);
    }
    all.into_iter().for_each(end);
    let left: Vec<_> = fs::read_dir(&place.0).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].to_string_lossy().starts_with("upfront-scratch-initdb-"), "{left:?}");
}

#[test]
fn uses_the_server_that_is_given() {
    let server = Server::builder().listen_tcp().start().unwrap();
    let given = server.tcp_url("postgres").unwrap();
    let unset = "unset the variable to start a temporary server";
    let refused = |what| {
        format!("the external server at `UPFRONT_SCRATCH_URL` does not support {what}: {unset}")
    };

    let said = all_said(command("databases").env("UPFRONT_SCRATCH_URL", &given));
    assert!(said[0].starts_with("scratch_"), "{said:?}");
    assert_eq!(said[1..], [refused("a crash"), refused("its log")]);
    let left = server.psql("postgres", "select datname from pg_database where datname ~ 'scratch'");
    assert_eq!(left.unwrap(), "");

    let said = all_said(command("setting").env("UPFRONT_SCRATCH_URL", &given));
    assert_eq!(said, [refused("the setting `log_statement`")]);
}

#[test]
fn refuses_settings_that_make_no_sense() {
    let said = all_said(command("start").env("UPFRONT_SCRATCH_URL", "host=here"));
    assert_eq!(
        said,
        ["`UPFRONT_SCRATCH_URL` does not have the form `postgresql://user@host:port/database`"]
    );
    let said = all_said(command("start").env("UPFRONT_SCRATCH_MAJOR", "new"));
    assert_eq!(said, ["`UPFRONT_SCRATCH_MAJOR` is `new`, not a major version such as 18"]);
    let long = format!("/tmp/{}", "x".repeat(100));
    let said = all_said(command("start").env("UPFRONT_SCRATCH_DIR", long));
    assert!(said[0].ends_with("set `UPFRONT_SCRATCH_DIR` to a folder with a shorter name"));
}

/// A folder of a test's own, removed with what is in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let memory = Some(PathBuf::from("/dev/shm")).filter(|it| it.is_dir());
        let path =
            memory.unwrap_or_else(env::temp_dir).join(format!("us-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(job: &str) -> Command {
    let mut it = Command::new(env::current_exe().unwrap());
    it.args(["--exact", "helper", "--nocapture"]).env("HELPER", job);
    it.env_remove("UPFRONT_SCRATCH_URL").stdin(Stdio::piped()).stdout(Stdio::piped());
    it
}

fn command_in(place: &Path, job: &str) -> Command {
    let mut it = command(job);
    it.env("UPFRONT_SCRATCH_DIR", place);
    it
}

/// The next thing that a helper says.
fn said(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    lines.find_map(|it| it.strip_prefix("= ").map(str::to_owned)).expect("it says a line")
}

fn all_said(command: &mut Command) -> Vec<String> {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter_map(|it| it.strip_prefix("= ").map(str::to_owned)).collect()
}

/// Ends a helper that holds a server, in order.
fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn eventually(holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(30), "waited in vain");
        thread::yield_now();
    }
}
