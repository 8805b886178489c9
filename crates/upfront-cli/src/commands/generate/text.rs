//! The text of generated files.

use std::fmt::Write;

use serde::Serialize;
use upfront_schema::{DownResult, Plan, UpDown};

use crate::{output::failure::Failure, scratch::staging::Staging};

/// Both sides of a migration.
#[derive(Debug, Serialize)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) up: String,
    pub(super) down: Option<String>,
}

impl File {
    pub(super) fn write(&self, staging: &Staging) -> Result<(), Failure> {
        staging.write(&self.name, &self.up)?;
        match &self.down {
            Some(it) => staging.write(&format!("down/{}", self.name), it),
            None => Ok(()),
        }
    }

    /// Adds to the down side what rows may do to it.
    pub(super) fn warn(
        &mut self,
        warning: Option<String>,
        staging: &Staging,
    ) -> Result<(), Failure> {
        let (Some(down), Some(warning)) = (&mut self.down, warning) else { return Ok(()) };
        *down = warned(down, &warning);
        staging.write(&format!("down/{}", self.name), down)
    }

    /// For a person who only looks.
    pub(super) fn shown(&self, label: &str) -> String {
        let mut text = format!("==> {label}/{} <==\n{}", self.name, self.up);
        if let Some(it) = &self.down {
            let _ = write!(text, "\n==> {label}/down/{} <==\n{it}", self.name);
        }
        text
    }
}

/// A file, with what is said of it.
pub(super) fn file(version: &str, name: &str, sides: &UpDown, mark: Option<&str>) -> File {
    let mut header = String::new();
    if sides.up.is_divided() {
        header.push_str("-- atlas:txmode none\n");
    }
    if let Some(it) = mark {
        let _ = writeln!(header, "-- {it}");
    }
    let down = match &sides.down {
        DownResult::Plan(it) => {
            Some(down(it, "-- upfront:nothing-to-undo the schema is what it was before\n"))
        }
        DownResult::None(why) => {
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(header, "-- upfront:irreversible {why}");
            None
        }
    };
    let blank = if header.is_empty() { "" } else { "\n" };
    File { name: format!("{version}_{name}.sql"), up: format!("{header}{blank}{}", sides.up), down }
}

/// The text with a warning before its first statement.
pub(super) fn warned(text: &str, warning: &str) -> String {
    // Directives have a blank line behind them.
    let (header, body) = match text.starts_with("-- atlas:") {
        true => text.split_at(text.find("\n\n").map_or(0, |at| at + 2)),
        false => ("", text),
    };
    format!("{header}-- may-fail: {warning}\n{body}")
}

/// A down side; what it says if there is nothing to do.
pub(super) fn down(plan: &Plan, nothing: &str) -> String {
    match (plan.is_empty(), plan.is_divided()) {
        (true, _) => nothing.to_owned(),
        // Each statement is a transaction of its own, which `LOCAL` would not outlive.
        (false, true) => {
            let text = plan.to_string();
            let text =
                text.replace("\nSET LOCAL check_function_bodies", "\nSET check_function_bodies");
            format!("-- atlas:txmode none\n\n{text}")
        }
        (false, false) => plan.to_string(),
    }
}
