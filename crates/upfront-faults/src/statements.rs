//! The library that acts before each statement of a session; see `statements.c`.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use upfront_scratch::Builder;

use crate::{arena::shared_folder, failure::Result};

const SOURCE: &str = include_str!("statements.c");

/// The compiled library, and the folder in which sessions leave their marks.
#[derive(Debug)]
pub(crate) struct Library {
    folder: TempDir,
}

/// The option of one session, and the file that shows whether it acted.
#[derive(Debug)]
pub(crate) struct Mark {
    file: PathBuf,
    option: String,
}

impl Library {
    /// Compiles it for a major version.
    ///
    /// # Errors
    ///
    /// There is no C compiler.
    pub(crate) fn compile(major: u32) -> Result<Self> {
        let folder = shared_folder()?;
        let source = folder.path().join("statements.c");
        fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-w", &format!("-DMAJOR={major}"), "-o"]);
        let out = compiler.arg(folder.path().join("statements.so")).arg(&source).output();
        let out = out.map_err(|err| format!("no C compiler: {err}"))?;
        match out.status.success() {
            true => Ok(Self { folder }),
            false => Err(String::from_utf8_lossy(&out.stderr).into()),
        }
    }

    /// A server that loads it into every session.
    pub(crate) fn loaded(&self, builder: Builder) -> Builder {
        let path = self.folder.path().join("statements.so");
        builder.setting("session_preload_libraries", &path.display().to_string())
    }

    /// The mark of a session that acts before the statement with this number.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn mark(&self, number: usize, action: &str) -> Result<Mark> {
        use std::os::unix::fs::PermissionsExt;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let file = self.folder.path().join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        fs::write(&file, "")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
        let option = format!("{number}:{action}:{}", file.display());
        Ok(Mark { file, option })
    }
}

impl Mark {
    /// A URL whose sessions have the option.
    pub(crate) fn url(&self, url: &str) -> String {
        let separator = if url.contains('?') { '&' } else { '?' };
        let value = self.option.replace(':', "%3A").replace('/', "%2F");
        format!("{url}{separator}options=-c%20faults.at%3D{value}")
    }

    /// How many statements the sessions have executed.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn counted(&self) -> Result<usize> {
        Ok(fs::read(&self.file)?.len())
    }

    /// Has a session acted?
    pub(crate) fn acted(&self) -> bool {
        !self.file.exists()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
