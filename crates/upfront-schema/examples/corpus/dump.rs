//! Dumps, compared entry by entry.

use std::collections::BTreeMap;

/// The first difference of two dumps, whatever the order of their entries and columns.
pub(crate) fn difference(one: &str, two: &str) -> Option<String> {
    let (one, two) = (entries(one), entries(two));
    let titles = one.keys().chain(two.keys());
    let differing = titles.into_iter().find(|it| one.get(*it) != two.get(*it))?;
    let lines = |of: &BTreeMap<String, Vec<String>>| {
        let all = of.get(differing).cloned().unwrap_or_default();
        all.iter()
            .flat_map(|it| it.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let (one, two) = (lines(&one), lines(&two));
    let missing = two.iter().filter(|it| !one.contains(it)).map(|it| format!("+{}", it.trim()));
    let extra = one.iter().filter(|it| !two.contains(it)).map(|it| format!("-{}", it.trim()));
    let lines: Vec<_> = extra.chain(missing).take(4).collect();
    Some(format!("{differing}: {}", lines.join(" | ")))
}

fn entries(dump: &str) -> BTreeMap<String, Vec<String>> {
    let end = "\n--\n-- PostgreSQL database dump complete\n";
    let dump = dump.split(end).next().unwrap_or_default();
    let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in dump.split("\n--\n-- Name: ").skip(1) {
        let (title, body) = entry.split_once("\n--\n").unwrap_or((entry, ""));
        let body = if title.contains("; Type: ACL;") { grants(body) } else { sorted(body) };
        if !body.is_empty() {
            entries.entry(title.to_owned()).or_default().push(body);
        }
    }
    for it in entries.values_mut() {
        it.sort();
    }
    entries
}

/// Grants in any order.
fn grants(body: &str) -> String {
    let mut lines: Vec<_> = body.lines().filter(|it| !it.is_empty()).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The statements; the lines of a table's columns in the order of their names.
fn sorted(body: &str) -> String {
    let is_setting = |it: &&str| it.starts_with("SET default_") || it.is_empty();
    let mut lines: Vec<_> = body.lines().filter(|it| !is_setting(it)).collect();
    let starts =
        ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE FOREIGN TABLE ", "CREATE TYPE "];
    if lines.first().is_some_and(|it| starts.iter().any(|start| it.starts_with(start))) {
        for it in &mut lines {
            *it = it.trim_end_matches(',');
        }
        let end = lines.iter().position(|it| it.starts_with(')')).unwrap_or(lines.len());
        lines[1..end.max(1)].sort_unstable();
    }
    lines.into_iter().map(with_sorted_options).collect::<Vec<_>>().join("\n")
}

/// A dump has storage parameters in the order in which they were set.
fn with_sorted_options(line: &str) -> String {
    let Some((before, rest)) = line.split_once("WITH (") else { return line.to_owned() };
    let Some((options, after)) = rest.split_once(')') else { return line.to_owned() };
    let mut options: Vec<_> = options.split(", ").collect();
    options.sort_unstable();
    format!("{before}WITH ({}){after}", options.join(", "))
}
