//! Programs that print the schema of an ORM's models as SQL.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A loader that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loader {
    pub(super) orm: &'static str,
    /// The command that prints the schema.
    pub(super) command: String,
    /// What has to be done before the command works.
    pub(super) first: Option<String>,
}

/// Looks for loaders in a folder; those that work come first.
pub(super) fn find(root: &Path) -> Vec<Loader> {
    let files = files(root);
    let all = [
        gorm(root, &files),
        django(root, &files),
        prisma(root),
        drizzle(root),
        npm(root, &files, "sequelize"),
        npm(root, &files, "typeorm"),
        sqlalchemy(root, &files),
        seaorm(root, &files),
    ];
    let mut found: Vec<_> = all.into_iter().flatten().collect();
    found.sort_by_key(|it| it.first.is_some());
    found
}

/// Folders that hold nobody's sources.
const LEFT_OUT: [&str; 7] =
    ["node_modules", "target", "vendor", "venv", "dist", "build", "__pycache__"];

/// The files of a project, relative to its folder; not too deep, and not too many.
pub(super) fn files(root: &Path) -> Vec<PathBuf> {
    const DEPTH: usize = 6;
    const MOST: usize = 20_000;
    let mut found = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for it in entries.flatten() {
            let name = it.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let Ok(kind) = it.file_type() else { continue };
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir()
                && depth < DEPTH
                && !name.starts_with('.')
                && !LEFT_OUT.contains(&name.as_str())
            {
                open.push((path, depth + 1));
            }
            if found.len() >= MOST {
                return found;
            }
        }
    }
    found.sort();
    found
}

fn text(root: &Path, path: impl AsRef<Path>) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_default()
}

/// The sources of a language that hold a text.
fn with<'a>(
    root: &'a Path,
    files: &'a [PathBuf],
    extension: &'a str,
    needle: &'a str,
) -> impl Iterator<Item = &'a PathBuf> {
    files
        .iter()
        .filter(move |it| it.extension().is_some_and(|it| it == extension))
        .filter(move |it| text(root, it).contains(needle))
}

/// A folder as a command names it.
fn folder_of(path: &Path) -> String {
    match path.parent().map(|it| it.display().to_string()).unwrap_or_default().as_str() {
        "" => ".".to_owned(),
        it => format!("./{it}"),
    }
}

/// The folder that has most of these files.
fn most<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Option<String> {
    let mut folders = std::collections::BTreeMap::<String, usize>::new();
    files.for_each(|it| *folders.entry(folder_of(it)).or_default() += 1);
    folders.into_iter().max_by_key(|it| it.1).map(|it| it.0)
}

fn gorm(root: &Path, files: &[PathBuf]) -> Option<Loader> {
    let modules = text(root, "go.mod");
    if !modules.contains("gorm.io/gorm") {
        return None;
    }
    let mut loaders = with(root, files, "go", "atlas-provider-gorm/gormschema");
    if let Some(it) = loaders.find(|it| text(root, it).contains("package main")) {
        let command = format!("go run -mod=mod {}", folder_of(it));
        return Some(Loader { orm: "GORM", command, first: None });
    }
    let models =
        most(with(root, files, "go", "gorm:\"").chain(with(root, files, "go", "gorm.Model")));
    let path = models.unwrap_or_else(|| "./models".to_owned());
    let command = format!(
        "go run -mod=mod ariga.io/atlas-provider-gorm load --path {path} --dialect postgres"
    );
    let has_provider = modules.contains("ariga.io/atlas-provider-gorm");
    let first = (!has_provider).then(|| "go get -u ariga.io/atlas-provider-gorm".to_owned());
    Some(Loader { orm: "GORM", command, first })
}

/// Django prints each of its migrations; together they are the schema.
fn django(root: &Path, files: &[PathBuf]) -> Option<Loader> {
    let manage = files.iter().find(|it| it.ends_with("manage.py"))?;
    if !text(root, manage).contains("django") {
        return None;
    }
    let manage = manage.display();
    let command = format!(
        "python {manage} showmigrations --plan | sed 's/.*] *//' | while IFS=. read -r app name; do \
         python {manage} sqlmigrate \"$$app\" \"$${{name%% *}}\"; done | grep -vxE '(BEGIN|COMMIT);'"
    );
    Some(Loader { orm: "Django", command, first: None })
}

fn prisma(root: &Path) -> Option<Loader> {
    let schema =
        ["prisma/schema.prisma", "schema.prisma"].into_iter().find(|it| root.join(it).is_file())?;
    let is_postgres = text(root, schema).contains("postgres");
    let command =
        format!("npx prisma migrate diff --from-empty --to-schema-datamodel {schema} --script");
    is_postgres.then_some(Loader { orm: "Prisma", command, first: None })
}

fn drizzle(root: &Path) -> Option<Loader> {
    let is_there = |it: &&str| root.join(it).is_file();
    ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.json"].into_iter().find(is_there)?;
    Some(Loader { orm: "Drizzle", command: "npx drizzle-kit export".to_owned(), first: None })
}

fn npm(root: &Path, files: &[PathBuf], name: &'static str) -> Option<Loader> {
    let package = text(root, "package.json");
    if !package.contains(&format!("\"{name}\"")) {
        return None;
    }
    let (orm, needle) = match name {
        "sequelize" => ("Sequelize", "DataTypes"),
        _ => ("TypeORM", "@Entity"),
    };
    let models = most(with(root, files, "ts", needle).chain(with(root, files, "js", needle)));
    let models = models.unwrap_or_else(|| "./models".to_owned());
    let provider = format!("@ariga/atlas-provider-{name}");
    let command = format!("npx {provider} load --path {models} --dialect postgres");
    let first =
        (!package.contains(&provider)).then(|| format!("npm install --save-dev {provider}"));
    Some(Loader { orm, command, first })
}

fn sqlalchemy(root: &Path, files: &[PathBuf]) -> Option<Loader> {
    let needle = ["DeclarativeBase", "declarative_base"]
        .into_iter()
        .find_map(|it| most(with(root, files, "py", it)))?;
    let requirements =
        ["requirements.txt", "pyproject.toml", "Pipfile"].map(|it| text(root, it)).concat();
    let has_provider = requirements.contains("atlas-provider-sqlalchemy");
    let first = (!has_provider).then(|| "pip install atlas-provider-sqlalchemy".to_owned());
    let command = format!("atlas-provider-sqlalchemy --path {needle} --dialect postgresql");
    Some(Loader { orm: "SQLAlchemy", command, first })
}

/// `SeaORM` has no program for it, but entities can print themselves.
fn seaorm(root: &Path, files: &[PathBuf]) -> Option<Loader> {
    if !text(root, "Cargo.toml").contains("sea-orm") {
        return None;
    }
    let printing = with(root, files, "rs", "create_table_from_entity");
    let program = printing.filter_map(|it| {
        let name = it.file_stem()?.to_string_lossy().into_owned();
        let folder = it.parent()?;
        [("examples", "--example"), ("src/bin", "--bin")]
            .into_iter()
            .find(|(path, _)| folder.ends_with(path))
            .map(|(_, option)| format!("cargo run --quiet {option} {name}"))
    });
    let mut program = program;
    Some(match program.next() {
        Some(command) => Loader { orm: "SeaORM", command, first: None },
        None => Loader {
            orm: "SeaORM",
            command: "cargo run --quiet --example print_schema".to_owned(),
            first: Some(
                "write `examples/print_schema.rs`, which prints `Schema::create_table_from_entity` of \
                 each entity"
                    .to_owned(),
            ),
        },
    })
}
