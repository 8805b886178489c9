//! What git's HEAD has of a directory.

use std::{collections::BTreeSet, path::Path, process::Command};

/// The files of a directory that are committed.
///
/// A file is committed where HEAD has one at its path, whatever it says there. What cannot be known
/// counts as committed, since only what is not may be rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Paths from the directory, with `/`.
    These(BTreeSet<String>),
    /// Git cannot tell, and why.
    All { why: String },
}

impl Committed {
    /// Asks the program `git`. A repository without a commit has nothing committed.
    pub(crate) fn of(directory: &Path) -> Self {
        match files(directory) {
            Ok(it) => Self::These(it),
            Err(why) => Self::All { why },
        }
    }

    /// Is this file committed?
    pub(crate) fn holds(&self, file: &str) -> bool {
        match self {
            Self::These(files) => files.contains(file),
            Self::All { .. } => true,
        }
    }

    /// Is the up side of this migration committed? Its name may be empty after a `_`, too.
    pub(crate) fn holds_migration(&self, version: &str, name: &str) -> bool {
        self.holds(&format!("{version}_{name}.sql"))
            || (name.is_empty() && self.holds(&format!("{version}.sql")))
    }
}

fn files(directory: &Path) -> Result<BTreeSet<String>, String> {
    git(directory, &["rev-parse", "--show-toplevel"])?;
    if is_unborn(directory)? {
        return Ok(BTreeSet::new());
    }
    // Run within a folder, it lists that folder alone, by paths from there.
    let listed = git(directory, &["ls-tree", "-r", "-z", "--name-only", "HEAD"])?;
    Ok(listed.split('\0').filter(|it| !it.is_empty()).map(str::to_owned).collect())
}

/// Is there no commit yet? Then HEAD names a branch, and the branch nothing.
fn is_unborn(directory: &Path) -> Result<bool, String> {
    if git(directory, &["rev-parse", "--verify", "--quiet", "HEAD"]).is_ok() {
        return Ok(false);
    }
    git(directory, &["symbolic-ref", "HEAD"]).map(|_| true)
}

/// Runs git, and gives what it prints or its first complaint.
///
/// A hook names its repository to whatever it starts; the directory's own is what counts. Nothing
/// is fetched, asked for or locked.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments);
    for it in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        command.env_remove(it);
    }
    command.envs([("GIT_NO_LAZY_FETCH", "1"), ("GIT_TERMINAL_PROMPT", "0")]);
    command.envs([("GIT_OPTIONAL_LOCKS", "0"), ("LC_ALL", "C")]);
    let output = command.output().map_err(|err| format!("git cannot be run: {err}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(complaint(&output.stderr)),
    }
}

fn complaint(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let line = stderr.lines().find(|it| !it.trim().is_empty()).unwrap_or("git failed");
    line.trim().trim_start_matches("fatal: ").to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Stdio};

    use tempfile::TempDir;

    use super::*;

    /// A folder of its own, with the migrations in a folder of it.
    fn folder() -> TempDir {
        let it = tempfile::tempdir().unwrap();
        write(it.path(), "m/1_a.sql");
        write(it.path(), "m/down/1_a.sql");
        it
    }

    fn write(folder: &Path, file: &str) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }

    fn run(folder: &Path, arguments: &str) {
        let mut command = Command::new("git");
        command.args(["-C", folder.to_str().unwrap(), "-c", "user.name=n", "-c", "user.email=e"]);
        command.args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/none"]);
        command.args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "git {arguments}");
    }

    fn check(folder: &Path, expected: &[&str]) {
        let expected = expected.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(Committed::of(&folder.join("m")), Committed::These(expected));
    }

    #[test]
    fn tells_what_head_has() {
        let folder = folder();
        let path = folder.path();
        run(path, "init");
        check(path, &[]);
        run(path, "add .");
        check(path, &[]);
        run(path, "commit -m first");
        check(path, &["1_a.sql", "down/1_a.sql"]);
        write(path, "m/2_b.sql");
        fs::rename(path.join("m/1_a.sql"), path.join("m/1_b.sql")).unwrap();
        check(path, &["1_a.sql", "down/1_a.sql"]);
        run(path, "switch --detach HEAD");
        run(path, "switch --orphan other");
        write(path, "m/3_c.sql");
        check(path, &[]);
    }

    #[test]
    fn follows_the_branch_of_a_worktree() {
        let folder = folder();
        let (path, other) = (folder.path().join("it"), folder.path().join("other"));
        write(&path, "m/1_a.sql");
        run(&path, "init");
        run(&path, "add .");
        run(&path, "commit -m first");
        run(&path, "worktree add -b other ../other");
        write(&other, "m/2 ü\".sql");
        run(&other, "add .");
        run(&other, "commit -m second");
        check(&path, &["1_a.sql"]);
        check(&other, &["1_a.sql", "2 ü\".sql"]);
    }

    #[test]
    fn a_directory_of_which_nothing_is_committed() {
        let folder = folder();
        let path = folder.path();
        run(path, "init");
        write(path, "README.md");
        run(path, "add README.md");
        run(path, "commit -m first");
        check(path, &[]);
    }

    #[test]
    fn what_cannot_be_known_counts_as_committed() {
        let folder = folder();
        let path = folder.path().join("m");
        let why = |it| match it {
            Committed::All { why } => why,
            it @ Committed::These(_) => panic!("{it:?}"),
        };
        assert!(Committed::of(&path).holds("9_z.sql"));
        let found = why(Committed::of(&path));
        assert!(found.starts_with("not a git repository"), "{found}");
        run(folder.path(), "init");
        run(folder.path(), "add .");
        run(folder.path(), "commit -m first");
        fs::write(folder.path().join(".git/HEAD"), "ref: refs/heads/x\n\0").unwrap();
        why(Committed::of(&path));
    }

    #[test]
    fn a_migration_is_found_by_its_file() {
        let files = ["1.sql", "2_.sql", "3_c.sql"].map(str::to_owned);
        let it = Committed::These(files.into());
        let held = [("1", ""), ("2", ""), ("3", "c"), ("3", ""), ("1", "c"), ("4", "")];
        let held = held.map(|(version, name)| it.holds_migration(version, name));
        assert_eq!(held, [true, true, true, false, false, false]);
    }
}
