//! A migrator as a child process.

use std::{env, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    failure::Result,
    migrate::{Line, Order, Verb},
};

/// A migrator that was started; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It returned its report.
    Done,
    /// It returned an error, of this kind and with this text.
    Failed { kind: String, text: String },
    /// It was killed before it printed the outcome.
    Killed,
    /// It ended in any other way, such as by a panic.
    Crashed(String),
}

/// What a process printed until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) applied: Vec<String>,
    pub(crate) rolled_back: Vec<String>,
}

/// No boot of the scenarios takes longer, even beside others.
const PATIENCE: Duration = Duration::from_secs(120);

impl Process {
    /// Starts this program in its hidden mode.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub(crate) fn start(order: &Order, url: &str) -> Result<Self> {
        let program = match env::var_os("UPFRONT_FAULTS_BIN") {
            Some(it) => it.into(),
            None => env::current_exe()?,
        };
        let mut command = Command::new(program);
        command.arg("migrate").arg("--verb").arg(match order.verb {
            Verb::Up => "up",
            Verb::Down => "down",
            Verb::Dev => "dev",
            Verb::Adopt => "adopt",
        });
        command.arg("--directory").arg(&order.directory);
        command.args(["--wait-ms", &order.wait_ms.to_string()]);
        if let Some(it) = &order.to {
            command.args(["--to", it]);
        }
        if order.session_pooler {
            command.arg("--session-pooler");
        }
        command.env("DATABASE_URL", url).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    /// Sends SIGKILL. The process is gone when [`end`](Self::end) returns.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.start_kill();
    }

    /// Sends SIGKILL and waits until the process is gone; its output can still be read.
    pub(crate) async fn kill_and_wait(&mut self) {
        self.kill();
        let _ = self.0.wait().await;
    }

    /// Waits until the process is gone.
    pub(crate) async fn exited(&mut self) {
        let _ = self.0.wait().await;
    }

    /// Waits for the end, for two minutes at most.
    ///
    /// # Errors
    ///
    /// It does not end; it is killed then.
    pub(crate) async fn end(self) -> Result<Outcome> {
        self.end_within(PATIENCE).await
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// It does not end within the limit; it is killed then.
    pub(crate) async fn end_within(mut self, limit: Duration) -> Result<Outcome> {
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let all = async {
            let (printed, complained) = tokio::join!(read(out), read(err));
            Ok::<_, std::io::Error>((printed?, complained?, self.0.wait().await?))
        };
        match timeout(limit, all).await {
            Ok(all) => {
                all.map(|(out, err, status)| Outcome::read(&out, &err, status)).map_err(Into::into)
            }
            Err(_) => Err(format!("the process did not end within {limit:?}").into()),
        }
    }
}

/// All that a process writes to one of its streams.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut text = String::new();
    if let Some(mut it) = stream {
        it.read_to_string(&mut text).await?;
    }
    Ok(text)
}

impl Outcome {
    /// An outcome without any report.
    pub(crate) fn silent(end: End) -> Self {
        Self { end, applied: Vec::new(), rolled_back: Vec::new() }
    }

    /// How many migrations it reported.
    pub(crate) fn changed(&self) -> usize {
        self.applied.len() + self.rolled_back.len()
    }

    fn read(printed: &str, complained: &str, status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        const SIGKILL: i32 = 9;
        let mut it = Self::silent(End::Killed);
        let mut end = None;
        for line in printed.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Applied(version)) => it.applied.push(version),
                Ok(Line::RolledBack(version)) => it.rolled_back.push(version),
                Ok(Line::Done { .. }) => end = Some(End::Done),
                Ok(Line::Failed { kind, text }) => end = Some(End::Failed { kind, text }),
                Err(_) => {}
            }
        }
        it.end = end.unwrap_or_else(|| match status.signal() {
            Some(SIGKILL) => End::Killed,
            _ => End::Crashed(format!("{status}: {}", complained.trim())),
        });
        it
    }
}
