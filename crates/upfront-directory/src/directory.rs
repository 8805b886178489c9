//! A migrations directory as a whole.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use crate::class::Class;
use crate::directive::Direction;
use crate::error::{Error, ErrorKind, Errors, Warning, WarningKind};
use crate::hash::{Hash, chain, fingerprint};
use crate::location::Location;
use crate::migration::{self, Migration, Side};
use crate::name::{self, Name};
use crate::sum::{Change, Difference, Sum};

/// A valid migrations directory.
///
/// ```
/// # use upfront_directory::Directory;
/// let files = [("1_users.sql".to_owned(), b"CREATE TABLE users (id bigint);\n".to_vec())];
/// let directory = Directory::from_files("migrations", files)?;
/// assert_eq!(directory.migrations()[0].name, "users");
/// # Ok::<(), upfront_directory::Errors>(())
/// ```
#[derive(Debug)]
pub struct Directory {
    label: String,
    migrations: Vec<Migration>,
    warnings: Vec<Warning>,
    sum: Sum,
    down_sum: Option<Sum>,
}

impl Directory {
    /// Reads the folder. Messages name it by its path.
    ///
    /// # Errors
    ///
    /// All errors of the directory, not only the first.
    pub fn read(path: impl AsRef<Path>) -> Result<Directory, Errors> {
        let label = path.as_ref().display().to_string();
        Directory::read_as(&label, path)
    }

    /// Reads the folder. Messages name it by the label.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn read_as(label: &str, path: impl AsRef<Path>) -> Result<Directory, Errors> {
        let label = label.trim_end_matches('/');
        let files = walk(label, path.as_ref())?;
        Directory::from_files(label, files)
    }

    /// Reads a folder that is being edited and whose `atlas.sum` may be outdated.
    ///
    /// An added file is a warning rather than an error, as is an edited or removed file that is not
    /// committed. `is_committed` gets the path relative to the folder, with `/`, and is called only
    /// for files that differ. Each line of `atlas.sum` covers the files before it, so only the first
    /// difference is known.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn read_draft(
        label: &str,
        path: impl AsRef<Path>,
        is_committed: impl Fn(&str) -> bool,
    ) -> Result<Directory, Errors> {
        let label = label.trim_end_matches('/');
        let files = walk(label, path.as_ref())?;
        let is_draft = |file: &str, change| change == Change::Added || !is_committed(file);
        Directory::parse(label, files, SumPolicy::Check(&is_draft), EmptyUpScripts::Refuse)
    }

    /// Reads the folder without comparing it with `atlas.sum`, before that is written.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`], except for what concerns `atlas.sum`.
    pub fn read_without_sum(label: &str, path: impl AsRef<Path>) -> Result<Directory, Errors> {
        let files = walk(label.trim_end_matches('/'), path.as_ref())?;
        Directory::parse(label, files, SumPolicy::Ignore, EmptyUpScripts::Refuse)
    }

    /// Reads the folder while a file is added: up scripts may have no statement yet.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`], except for up scripts without a statement.
    pub fn read_allowing_empty(label: &str, path: impl AsRef<Path>) -> Result<Directory, Errors> {
        let files = walk(label.trim_end_matches('/'), path.as_ref())?;
        Directory::parse(label, files, SumPolicy::Check(&|_, _| false), EmptyUpScripts::Allow)
    }

    /// Reads a directory from paths and bytes. The paths are relative to the folder, with `/`.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn from_files(
        label: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Directory, Errors> {
        Directory::parse(label, files, SumPolicy::Check(&|_, _| false), EmptyUpScripts::Refuse)
    }

    fn parse(
        label: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        sums: SumPolicy<'_>,
        empty_up_scripts: EmptyUpScripts,
    ) -> Result<Directory, Errors> {
        let label = label.trim_end_matches('/').to_owned();
        let (top, down) = Folder::sort(&label, files);
        let (errors, warnings) = (Vec::new(), Vec::new());
        let read = top.read_with(down.as_ref());
        let mut reader = Reader { top, down, errors, warnings, empty_up_scripts };
        let migrations = reader.migrations(read);
        reader.check_sums(sums);
        Errors::check(reader.errors)?;
        Ok(Directory {
            label,
            migrations,
            warnings: reader.warnings,
            sum: reader.top.sum().clone(),
            down_sum: reader.down.filter(|it| !it.files.is_empty()).map(|it| it.sum().clone()),
        })
    }

    /// The name of the directory in messages.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The migrations, in order.
    #[must_use]
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// Replaces the skipped statements by statements without effect, for a server that cannot run
    /// them. Hashes and locations do not change.
    #[must_use]
    pub fn without_statements(mut self, is_skipped: impl Fn(&str) -> bool) -> Self {
        for it in &mut self.migrations {
            it.up.skip_statements(&is_skipped);
            if let Some(down) = &mut it.down {
                down.skip_statements(&is_skipped);
            }
        }
        self
    }

    /// Problems that are not errors.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The fingerprint over all migrations.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        fingerprint(self.migrations.iter().map(Migration::row))
    }

    /// The expected contents of `atlas.sum`, computed from the files.
    #[must_use]
    pub fn sum(&self) -> &Sum {
        &self.sum
    }

    /// The expected contents of `down/atlas.sum`, if there are down scripts.
    #[must_use]
    pub fn down_sum(&self) -> Option<&Sum> {
        self.down_sum.as_ref()
    }
}

/// Computes `atlas.sum`, and `down/atlas.sum` if there are down scripts, and writes those that
/// differ.
///
/// Returns the paths of the written files. The contents of the migrations are not checked.
///
/// # Errors
///
/// If a file cannot be read or written.
pub fn write_sums(path: &Path) -> Result<Vec<PathBuf>, Errors> {
    let label = path.display().to_string();
    let (top, down) = Folder::sort(&label, walk(&label, path)?);
    let down = down.filter(|it| !it.files.is_empty() || it.recorded.is_some());
    let mut written = Vec::new();
    for (folder, path) in [(Some(top), path.to_owned()), (down, path.join(DOWN))] {
        let Some(folder) = folder else { continue };
        let sum = folder.sum().to_string();
        if folder.recorded.as_deref() == Some(sum.as_bytes()) {
            continue;
        }
        let file = path.join(SUM);
        fs::write(&file, sum).map_err(|err| Error::new(folder.path(SUM), ErrorKind::Write(err)))?;
        written.push(file);
    }
    Ok(written)
}

const SUM: &str = "atlas.sum";

/// Starting a thread takes longer than reading this many files.
const MIN_SHARE: usize = 16;

/// A file and its errors.
type ReadFile = (Option<migration::Read>, Vec<Error>);

/// The files of both folders.
struct Files {
    up: Vec<ReadFile>,
    down: Vec<ReadFile>,
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One folder of migrations: the directory itself or its `down/`.
#[derive(Debug, Default)]
struct Folder {
    label: String,
    /// The `.sql` files, bytewise by name.
    files: BTreeMap<String, Vec<u8>>,
    /// The bytes of `atlas.sum`.
    recorded: Option<Vec<u8>>,
    /// All other files, including those of other folders.
    others: Vec<String>,
    /// Computed once: hashing is the most expensive part of reading a large file.
    sum: OnceLock<Sum>,
}

impl Folder {
    /// Sorts files into the directory itself and its `down/`.
    fn sort(
        label: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> (Folder, Option<Folder>) {
        let mut top = Folder { label: label.to_owned(), ..Folder::default() };
        let mut down = None;
        for (path, bytes) in files {
            match path.strip_prefix("down/") {
                None => top.insert(path, bytes),
                Some(file) => {
                    let label = top.path(DOWN);
                    down.get_or_insert(Folder { label, ..Folder::default() })
                        .insert(file.to_owned(), bytes);
                }
            }
        }
        (top, down)
    }

    /// Reads the files of both folders on all cores while it computes the sums: build scripts are
    /// not optimized, and few of them run at the end of a build.
    fn read_with(&self, down: Option<&Folder>) -> Files {
        thread::scope(|scope| {
            // Without a thread, each sum is computed on first use.
            let sums = || std::iter::once(self).chain(down).for_each(|it| _ = it.sum());
            let _ = thread::Builder::new().spawn_scoped(scope, sums);
            let down = down.map(|it| it.read(Direction::Down)).unwrap_or_default();
            Files { up: self.read(Direction::Up), down }
        })
    }

    /// The files in their order.
    fn read(&self, direction: Direction) -> Vec<ReadFile> {
        let read = |(file, bytes): &(&String, &Vec<u8>)| {
            let mut errors = Vec::new();
            let it = migration::read(self.path(file), bytes, direction, &mut errors);
            (it, errors)
        };
        let files: Vec<_> = self.files.iter().collect();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = files.len().div_ceil(threads).max(MIN_SHARE);
        let read_share = |files: &[_]| files.iter().map(read).collect::<Vec<_>>();
        thread::scope(|scope| {
            let start = |it| thread::Builder::new().spawn_scoped(scope, move || read_share(it));
            let mut shares = files.chunks(share);
            let own = shares.next();
            let started: Vec<_> = shares.map(|it| (it, start(it))).collect();
            let read = started.into_iter().flat_map(|(it, thread)| match thread {
                Ok(thread) => joined(thread),
                // No thread could be started, so the files are read on this one.
                Err(_) => read_share(it),
            });
            own.map(read_share).into_iter().flatten().chain(read).collect()
        })
    }

    fn insert(&mut self, file: String, bytes: Vec<u8>) {
        if file == SUM {
            self.recorded = Some(bytes);
        } else if is_migration(&file) {
            self.files.insert(file, bytes);
        } else {
            self.others.push(file);
        }
    }

    fn path(&self, file: &str) -> String {
        if self.label.is_empty() { file.to_owned() } else { format!("{}/{file}", self.label) }
    }

    fn sum(&self) -> &Sum {
        let files = || self.files.iter().map(|(file, bytes)| (file.as_str(), bytes.as_slice()));
        self.sum.get_or_init(|| Sum::of(files()))
    }

    /// The sum that the files would have with these line ends.
    fn sum_with(&self, line_end: &[u8]) -> Sum {
        let files: Vec<_> =
            self.files.iter().map(|(file, bytes)| (file, with(line_end, bytes))).collect();
        Sum::of(files.iter().map(|(file, bytes)| (file.as_str(), bytes.as_slice())))
    }

    /// Compares the files with the recorded sum. A difference in line ends alone, or in a draft, is a
    /// warning.
    fn check_sum(&self, is_draft: impl Fn(&Difference) -> bool) -> Result<Option<Warning>, Error> {
        let path = self.path(SUM);
        let Some(recorded) = &self.recorded else {
            let is_missing = !self.files.is_empty();
            return Ok(is_missing.then(|| Warning::new(&self.label, WarningKind::NoSum)));
        };
        let recorded: Sum =
            String::from_utf8_lossy(recorded).parse().map_err(|err: crate::ParseSumError| {
                Error::at(&path, Location { line: err.line(), column: None }, ErrorKind::Sum(err))
            })?;
        let Some(mut difference) = recorded.difference(self.sum()) else {
            return Ok(None);
        };
        for line_end in [b"\n".as_slice(), b"\r\n"] {
            let Some(other) = recorded.difference(&self.sum_with(line_end)) else {
                return Ok(Some(Warning::new(path, WarningKind::SumLineEnds)));
            };
            difference = if other.line > difference.line { other } else { difference };
        }
        let line = difference.line;
        match is_draft(&difference) {
            true => Ok(Some(Warning::at(&path, line, WarningKind::Draft(difference)))),
            false => Err(Error::at(
                &path,
                Location { line, column: None },
                ErrorKind::Differs(difference),
            )),
        }
    }

    /// Files that look like migrations but are ignored.
    fn warnings(&self) -> impl Iterator<Item = Warning> {
        let files = self.others.iter().filter(|it| !it.contains('/'));
        let files = files.filter(|it| it.to_ascii_lowercase().contains(".sql"));
        let files = files.map(|it| Warning::new(self.path(it), WarningKind::Ignored));
        let mut folders: Vec<_> = self.others.iter().filter(|it| name::is_sql(it)).collect();
        folders.dedup_by_key(|it| it.split('/').next());
        let folders = folders.into_iter().filter_map(|it| it.split_once('/'));
        let folders =
            folders.map(|(it, _)| Warning::new(self.path(it), WarningKind::IgnoredFolder));
        files.chain(folders).chain(self.collisions())
    }

    /// The first folder that is a migration of a tool with one folder per migration.
    fn folder_of_other_tool(&self) -> Option<Error> {
        self.others.iter().find_map(|it| {
            let tool = match it.split_once('/')?.1 {
                "up.sql" | "down.sql" => "Diesel or Hasura",
                "migration.sql" => "Prisma",
                _ => return None,
            };
            let kind = ErrorKind::OtherToolFolder { tool, file: it.clone() };
            Some(Error::new(&self.label, kind))
        })
    }

    fn collisions(&self) -> Vec<Warning> {
        let mut seen = BTreeMap::new();
        let files = self.files.keys();
        files
            .filter_map(|file| {
                let other = seen.insert(file.to_lowercase(), file)?;
                Some(Warning::new(self.path(file), WarningKind::Collision(other.clone())))
            })
            .collect()
    }
}

fn is_migration(file: &str) -> bool {
    name::is_sql(file) && !file.contains('/')
}

fn with(line_end: &[u8], bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|it| *it == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.collect::<Vec<_>>().join(line_end)
}

/// A directory while it is read.
struct Reader {
    top: Folder,
    down: Option<Folder>,
    errors: Vec<Error>,
    warnings: Vec<Warning>,
    empty_up_scripts: EmptyUpScripts,
}

/// Whether up scripts may have no statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmptyUpScripts {
    Refuse,
    Allow,
}

/// Whether the sums are compared.
#[derive(Clone, Copy)]
enum SumPolicy<'a> {
    /// Compares them. A difference is a warning if the function returns true.
    Check(&'a dyn Fn(&str, Change) -> bool),
    Ignore,
}

impl Reader {
    fn migrations(&mut self, read: Files) -> Vec<Migration> {
        let names = self.names();
        self.warnings
            .extend(self.top.warnings().chain(self.down.iter().flat_map(Folder::warnings)));
        self.errors.extend(self.top.folder_of_other_tool());
        if self.top.files.is_empty() {
            self.warnings.push(Warning::new(&self.top.label, WarningKind::Empty));
        }
        let mut downs = self.downs(read.down);
        let mut previous = Hash::ZERO;
        let mut migrations = Vec::new();
        for (file, (up, errors)) in self.top.files.keys().zip(read.up) {
            let errors_before = self.errors.len();
            self.errors.extend(errors);
            let Some(migration::Read { side: up, directives, warnings }) = up else { continue };
            self.warnings.extend(warnings);
            let Some(Name { version, name }) = names.get(file).cloned() else { continue };
            let is_empty = up.statements.is_empty() && self.errors.len() == errors_before;
            if is_empty && self.empty_up_scripts == EmptyUpScripts::Refuse {
                self.errors.push(Error::new(&up.path, ErrorKind::NoStatement(up.hash)));
            }
            let down = downs.remove(file);
            if let Some(down) = down.as_ref().filter(|_| directives.irreversible.is_some()) {
                self.errors.push(Error::new(&down.side.path, ErrorKind::DownOfIrreversible));
            }
            let down = down.and_then(|it| down_side(it, &mut self.errors, &mut self.warnings));
            previous = chain(&previous, &version, &name, &up.hash);
            migrations.push(Migration {
                version,
                name,
                file: file.clone(),
                up,
                down,
                chain: previous,
                breaking: directives.breaking,
                irreversible: directives.irreversible,
                checkpoint: directives.checkpoint,
                accepts: directives.accepts,
            });
        }
        self.warnings.extend(migrations.iter().flat_map(unnamed_indexes));
        migrations
    }

    /// The valid names of up scripts. Reports invalid names and an invalid order.
    fn names(&mut self) -> BTreeMap<String, Name> {
        let mut names = BTreeMap::new();
        let undo: HashSet<_> = name::undo_files(self.top.files.keys()).collect();
        for file in self.top.files.keys() {
            let name = match undo.contains(file.as_str()) {
                true => Err(name::NameError::Undo),
                false => Name::of(file),
            };
            match name {
                Ok(name) => drop(names.insert(file.clone(), name)),
                Err(it) => self.errors.push(Error::new(self.top.path(file), ErrorKind::Name(it))),
            }
        }
        let sorted: Vec<_> = names.iter().map(|(file, name)| (file.as_str(), name)).collect();
        for (file, it) in name::order(&sorted) {
            self.errors.push(Error::new(self.top.path(&file), ErrorKind::Name(it)));
        }
        names
    }

    fn downs(&mut self, read: Vec<ReadFile>) -> BTreeMap<String, migration::Read> {
        let mut downs = BTreeMap::new();
        let Some(folder) = &self.down else {
            return downs;
        };
        for (file, (down, errors)) in folder.files.keys().zip(read) {
            if !self.top.files.contains_key(file) {
                self.errors.push(Error::new(folder.path(file), ErrorKind::DownWithoutUp));
            }
            self.errors.extend(errors);
            if let Some(mut down) = down {
                self.warnings.append(&mut down.warnings);
                downs.insert(file.clone(), down);
            }
        }
        downs
    }

    fn check_sums(&mut self, sums: SumPolicy<'_>) {
        let SumPolicy::Check(is_draft) = sums else { return };
        for (prefix, folder) in [("", Some(&self.top)), ("down/", self.down.as_ref())] {
            let is_draft = |it: &Difference| is_draft(&format!("{prefix}{}", it.file), it.change);
            match folder.map_or(Ok(None), |it| it.check_sum(is_draft)) {
                Ok(warning) => self.warnings.extend(warning),
                Err(error) => self.errors.push(error),
            }
        }
    }
}

/// The down side of a migration. A script without a statement is not one, unless it is marked
/// `upfront:nothing-to-undo`.
fn down_side(
    down: migration::Read,
    errors: &mut Vec<Error>,
    warnings: &mut Vec<Warning>,
) -> Option<Side> {
    let migration::Read { side, directives, .. } = down;
    match (side.statements.is_empty(), directives.nothing_to_undo) {
        (true, None) => {
            warnings.push(Warning::new(&side.path, WarningKind::NoStatement));
            return None;
        }
        (false, Some(_)) => errors.push(Error::new(&side.path, ErrorKind::NothingToUndo)),
        (true, Some(_)) | (false, None) => {}
    }
    Some(side)
}

fn unnamed_indexes(migration: &Migration) -> Vec<Warning> {
    let sides = std::iter::once(&migration.up).chain(&migration.down);
    let statements = sides.flat_map(|side| side.statements.iter().map(move |it| (side, it)));
    let unnamed =
        statements.filter(|(_, it)| matches!(it.class, Class::CreateIndex { index: None, .. }));
    unnamed.map(|(side, it)| Warning::at(&side.path, it.line, WarningKind::UnnamedIndex)).collect()
}

/// The files of the folder and its subfolders, sorted. Only relevant files are read.
fn walk(label: &str, path: &Path) -> Result<Vec<(String, Vec<u8>)>, Errors> {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    walk_folder(label, path, "", &mut files, &mut errors);
    Errors::check(errors)?;
    files.sort();
    Ok(files)
}

fn walk_folder(
    label: &str,
    path: &Path,
    prefix: &str,
    files: &mut Vec<(String, Vec<u8>)>,
    errors: &mut Vec<Error>,
) {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(err) => return errors.push(Error::new(label, unreadable_folder(err))),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(err) => return errors.push(Error::new(label, ErrorKind::Read(err))),
        };
        let name = entry.file_name();
        let file = format!("{prefix}{}", name.to_string_lossy());
        let labelled = format!("{label}/{}", name.to_string_lossy());
        if name.to_str().is_none() && name::is_sql(&file) {
            errors.push(Error::new(labelled, ErrorKind::FileName));
            continue;
        }
        match read_entry(&entry.path(), &file) {
            Ok(Entry::File(bytes)) => files.push((file, bytes)),
            Ok(Entry::Folder) => {
                walk_folder(&labelled, &entry.path(), &format!("{file}/"), files, errors);
            }
            Err(kind) => errors.push(Error::new(labelled, kind)),
        }
    }
}

/// An entry of a folder.
enum Entry {
    /// The bytes of a relevant file; empty for other files.
    File(Vec<u8>),
    /// A folder to walk.
    Folder,
}

const DOWN: &str = "down";

/// Opens regular files only: a named pipe without a writer would block forever.
fn read_entry(path: &Path, file: &str) -> Result<Entry, ErrorKind> {
    let name = file.strip_prefix("down/").unwrap_or(file);
    let is_top = !file.contains('/');
    let counts = is_migration(name) || name == SUM;
    let metadata = match fs::metadata(path) {
        Ok(it) => it,
        Err(_) if !counts && file != DOWN => return Ok(Entry::File(Vec::new())),
        Err(err) if path.is_symlink() && err.kind() == io::ErrorKind::NotFound => {
            return Err(ErrorKind::DanglingLink);
        }
        Err(err) => return Err(ErrorKind::Read(err)),
    };
    match (metadata.is_dir(), counts) {
        (true, true) => Err(ErrorKind::NotAFile("a folder")),
        (true, false) if is_top => Ok(Entry::Folder),
        (false, _) if file == DOWN => Err(ErrorKind::NotAFolder),
        (false, true) if !metadata.is_file() => {
            Err(ErrorKind::NotAFile(special(metadata.file_type())))
        }
        (false, true) => fs::read(path).map(Entry::File).map_err(ErrorKind::Read),
        _ => Ok(Entry::File(Vec::new())),
    }
}

#[cfg(unix)]
fn special(it: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match it {
        it if it.is_fifo() => "a named pipe",
        it if it.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "a device"
}

fn unreadable_folder(err: io::Error) -> ErrorKind {
    match err.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NoFolder,
        _ => ErrorKind::Read(err),
    }
}
