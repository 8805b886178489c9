//! A child that ends when we do.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::account::Account;
use crate::error::{Error, Result};

/// Runs the program and waits for a word on its input: the signal to send. The end of the input
/// means that we have dropped the value or have died: the program is killed and the folder goes.
/// Its output stays open in the program and its children alone, so the end of that says that all
/// of them are gone.
///
/// A kill is that of all processes at once. An immediate shutdown would wait for clients that have
/// connected and said nothing, up to `authentication_timeout`. A killed server leaves a few bytes
/// of System V memory, of which the system has room for 4096; their number is in `postmaster.pid`.
///
/// It does not heed SIGHUP: when we die while it has stopped the server, its process group is an
/// orphan with a stopped member, and that signal is what the kernel sends to such a group.
const WATCH: &str = r#"
folder=$1; shift
"$@" </dev/null 2>>"$folder/log" & server=$!
trap '' HUP
exec >/dev/null 2>&1
read -r signal
case ${signal:-KILL} in
    KILL)
        kill -STOP "$server"
        children=$(pgrep -P "$server" ||
            grep -ls "^PPid:[[:blank:]]*$server\$" /proc/[0-9]*/status | tr -dc '0-9\n')
        memory=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")
        kill -KILL $children "$server"; wait "$server"
        [ -z "$memory" ] || ipcrm -m "$memory" ;;
    *)
        kill "-$signal" "$server"; wait "$server" ;;
esac
[ -n "$signal" ] || rm -rf "$folder"
"#;

/// A running server under the eyes of a shell, which holds the other end of our pipe.
///
/// The pipe closes however we end, SIGKILL included. Our end is not inherited by programs that we
/// run (the standard library opens it `O_CLOEXEC`), so they do not keep the server alive.
#[derive(Debug)]
pub(crate) struct Supervised {
    shell: Child,
    input: Option<ChildStdin>,
    output: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Starts `program` as `account`, logging into `folder`. When the value is dropped, the program
    /// is killed and the folder is removed.
    pub(crate) fn start(program: &Command, account: Account, folder: &Path) -> Result<Self> {
        let mut shell = account.command("sh");
        shell.args(["-c", WATCH, "sh"]).arg(folder);
        shell.arg(program.get_program()).args(program.get_args()).current_dir(folder);
        for (name, value) in program.get_envs() {
            match value {
                Some(it) => shell.env(name, it),
                None => shell.env_remove(name),
            };
        }
        // A Ctrl-C in the terminal is for us alone; the server ends in order after us.
        shell.process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(Error::run("sh"))?;
        let input = shell.stdin.take();
        let mut output = shell.stdout.take().expect("its output is piped");
        let output = thread::spawn(move || {
            let _ = io::copy(&mut output.by_ref(), &mut io::sink());
        });
        Ok(Self { shell, input, output: Some(output) })
    }

    /// Whether the server and all its children have ended.
    pub(crate) fn ended(&self) -> bool {
        self.output.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Sends the signal and waits for the end of the server and all its children.
    pub(crate) fn end(mut self, signal: &str) {
        if let Some(mut input) = self.input.take() {
            let _ = writeln!(input, "{signal}");
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.shell.wait();
        if let Some(it) = self.output.take() {
            let _ = it.join();
        }
    }
}
