//! A program of its own that boots, so that it can race others and be killed.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

/// A boot to be started as a process. The program is `src/bin/boot.rs`.
#[derive(Debug, Clone)]
pub struct Boot {
    program: PathBuf,
    url: String,
    /// Removed with the last boot and the last process that use it.
    folder: Arc<TempDir>,
    settings: Vec<(String, String)>,
}

/// A boot that was started; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Option<Child>,
    _folder: Arc<TempDir>,
}

impl Boot {
    /// `program` is `env!("CARGO_BIN_EXE_boot")`, which only a test knows.
    ///
    /// # Panics
    ///
    /// The folder cannot be written.
    pub fn new(program: &str, url: &str, files: &[(impl AsRef<str>, impl AsRef<str>)]) -> Self {
        let folder = tempfile::Builder::new().prefix("upfront-boot-").tempdir().unwrap();
        fs::create_dir(folder.path().join("down")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name.as_ref()), text.as_ref()).unwrap();
        }
        let folder = Arc::new(folder);
        Self { program: program.into(), url: url.into(), folder, settings: Vec::new() }
    }

    /// A setting, as `boot.rs` reads it: `APP`, `WAIT_MS`, `LOCK_MS` …
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((format!("BOOT_{name}"), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// The program cannot be started.
    pub fn start(&self) -> Process {
        let mut command = Command::new(&self.program);
        command.arg(self.folder.path()).env("DATABASE_URL", &self.url);
        command.envs(self.settings.iter().map(|(name, it)| (name, it)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process { child: Some(command.spawn().unwrap()), _folder: Arc::clone(&self.folder) }
    }
}

impl Process {
    /// Waits for its end: the report, or else the error.
    ///
    /// # Errors
    ///
    /// What the program printed when it failed.
    ///
    /// # Panics
    ///
    /// The process cannot be waited for.
    pub fn end(mut self) -> Result<String, String> {
        let child = self.child.take().unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |it: Vec<u8>| String::from_utf8(it).unwrap();
        match status.success() {
            true => Ok(text(stdout)),
            false => Err(text(stderr)),
        }
    }

    /// SIGKILL.
    ///
    /// # Panics
    ///
    /// The process cannot be killed.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut it) = self.child.take() {
            let _ = it.kill();
            let _ = it.wait();
        }
    }
}
