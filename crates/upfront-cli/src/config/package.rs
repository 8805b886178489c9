//! The package in this folder, as its `Cargo.toml` has it.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

/// What `init` has to know of it.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    /// The name of its library in Rust, if it has one.
    library: Option<String>,
    /// Whether it has `upfront` with the derives.
    pub(crate) derives: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Manifest {
    package: Option<Named>,
    lib: Option<Library>,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Library {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependency {
    Table {
        #[serde(default)]
        features: Vec<String>,
    },
    #[allow(dead_code, reason = "what is not a table has no features")]
    Version(String),
}

impl Package {
    /// None where there is no package, or a file that Cargo would not read either.
    pub(crate) fn here() -> Option<Self> {
        let manifest: Manifest = toml::from_str(&fs::read_to_string("Cargo.toml").ok()?).ok()?;
        let name = manifest.package?.name;
        let has_library = manifest.lib.is_some() || Path::new("src/lib.rs").is_file();
        let own = manifest.lib.and_then(|it| it.name);
        let library = has_library.then(|| own.unwrap_or_else(|| name.replace('-', "_")));
        let all = [&manifest.dependencies, &manifest.dev_dependencies];
        let derives = all.iter().filter_map(|it| it.get("upfront")).any(Dependency::derives);
        Some(Self { name, library, derives })
    }

    /// The example that prints the models of the library.
    pub(crate) fn example(&self) -> Option<String> {
        let library = self.library.as_ref()?;
        Some(format!(
            "//! Prints the structs of this crate that derive `upfront::Table`, for `upfront gen`.\n\n\
             use {library} as _;\n\n\
             fn main() -> std::process::ExitCode {{\n    upfront::model::print()\n}}\n"
        ))
    }

    /// What is left to be done for `gen` to know the models.
    pub(crate) fn steps(&self, keeps_settings: bool) -> Vec<String> {
        let mut steps = Vec::new();
        if !self.derives {
            steps.push("cargo add upfront --features derive".to_owned());
        }
        match &self.library {
            None => {
                steps.push(
                    "in main.rs:   return upfront::model::print() where the first argument is \
                     `print-models`"
                        .to_owned(),
                );
                steps.push("upfront.toml: [desired.models]".to_owned());
                steps.push(format!("              bin = \"{}\"", self.name));
                steps.push("              args = [\"print-models\"]".to_owned());
            }
            Some(_) if keeps_settings => steps.push("upfront.toml: [desired.models]".to_owned()),
            Some(_) => {}
        }
        steps.push("upfront gen NAME   writes a migration that leads to them".to_owned());
        steps.into_iter().map(|it| format!("  {it}")).collect()
    }
}

impl Dependency {
    fn derives(&self) -> bool {
        match self {
            Self::Table { features } => features.iter().any(|it| it == "derive"),
            Self::Version(_) => false,
        }
    }
}
