//! Objects that are added to `exclude` of `upfront.toml`.

use std::{fs, path::Path};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};
use upfront::cli::Exit;

use crate::output::failure::Failure;

/// Adds them to the list in the file. Everything else in it stays as it is, comments too.
pub(super) fn add(path: &Path, label: &str, objects: &[&str]) -> Result<(), Failure> {
    let failed = |err: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("cannot write `exclude` to `{label}`: {err}"))
    };
    let text = fs::read_to_string(path).map_err(|err| failed(&err))?;
    let text = added(&text, objects).map_err(|err| failed(&err))?;
    fs::write(path, text).map_err(|err| failed(&err))
}

fn added(text: &str, objects: &[&str]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|err| format!("{err}"))?;
    let desired = document.entry("desired").or_insert(Item::Table(Table::new()));
    let desired = desired.as_table_like_mut().ok_or("`desired` is no table")?;
    let list = list(desired)?;
    for it in objects {
        push(list, it);
    }
    Ok(document.to_string())
}

fn list(desired: &mut dyn TableLike) -> Result<&mut Array, String> {
    let item = desired.entry("exclude").or_insert(Item::Value(Array::new().into()));
    item.as_array_mut().ok_or_else(|| "`exclude` is no list".to_owned())
}

/// On a line of its own where the others are.
fn push(list: &mut Array, object: &str) {
    let mut value = Value::from(object);
    let before = list.iter().last().and_then(|it| it.decor().prefix()?.as_str());
    match before.map(str::to_owned) {
        Some(prefix) if prefix.contains('\n') => {
            // A comment before the last one is not this one's.
            let indent = prefix.rsplit('\n').next().unwrap_or_default();
            value.decor_mut().set_prefix(format!("\n{indent}"));
            list.push_formatted(value);
        }
        _ => list.push(value),
    }
}

#[cfg(test)]
mod tests {
    use super::added;

    #[test]
    fn leaves_the_rest_of_the_file_as_it_is() {
        let check = |text: &str, expected: &str| {
            assert_eq!(added(text, &["index public.a"]).unwrap(), expected);
        };
        check(
            "# mine\n[desired]\ncommand = \"x\" # prints\n\n[gen]\nonline = false\n",
            "# mine\n[desired]\ncommand = \"x\" # prints\nexclude = [\"index public.a\"]\n\n[gen]\n\
             online = false\n",
        );
        check(
            "[desired]\nexclude = [\"table b\"] # old\n",
            "[desired]\nexclude = [\"table b\", \"index public.a\"] # old\n",
        );
        check(
            "[desired]\nexclude = [\n  # why\n  \"table b\",\n  # end\n]\n",
            "[desired]\nexclude = [\n  # why\n  \"table b\",\n  \"index public.a\",\n  # end\n]\n",
        );
        check(
            "[desired.models]\npackage = \"shop\"\n",
            "[desired]\nexclude = [\"index public.a\"]\n[desired.models]\npackage = \"shop\"\n",
        );
        check(
            "desired = { sql = \"a\" }\n",
            "desired = { sql = \"a\" , exclude = [\"index public.a\"] }\n",
        );
    }
}
