//! Patterns of Atlas, as those of `[desired] exclude`.

/// Atlas's patterns name objects by their place, `schema.object.part`, with a type if need be:
/// `*.legacy_*[type=table]`. Bound to one schema, they begin with the object.
pub(super) fn translated(pattern: &str, is_bound: bool) -> Option<Vec<String>> {
    let (path, kind) = match pattern.strip_suffix(']').and_then(|it| it.split_once("[type=")) {
        Some((path, kind)) => (path, Some(kind)),
        None => (pattern, None),
    };
    if path.is_empty() || path.contains(['[', ']', '?', '\\', ' ']) {
        return None;
    }
    let parts: Vec<_> = path.split('.').collect();
    match (kind, parts.as_slice()) {
        // Histories are never compared.
        (None, [.., "atlas_schema_revisions"]) => Some(Vec::new()),
        (None, [schema]) if !is_bound => Some(vec![format!("schema {schema}")]),
        (None, [object]) => Some(objects(&format!("*.{object}"))),
        (None, [schema, "*"]) => Some(vec![format!("schema {schema}")]),
        (None, [schema, object]) => Some(objects(&format!("{schema}.{object}"))),
        (Some("extension"), [name] | [_, name]) => Some(vec![format!("extension {name}")]),
        (Some("schema"), [name]) => Some(vec![format!("schema {name}")]),
        (Some(kinds), [object]) if is_bound => of_kinds(kinds, &format!("*.{object}")),
        (Some(kinds), [schema, object]) => of_kinds(kinds, &format!("{schema}.{object}")),
        _ => None,
    }
}

fn objects(path: &str) -> Vec<String> {
    ["table", "view", "sequence"].map(|kind| format!("{kind} {path}")).to_vec()
}

fn of_kinds(kinds: &str, path: &str) -> Option<Vec<String>> {
    let kind = |it: &str| {
        let kind = match it {
            "table" | "view" | "sequence" | "domain" => it,
            "materialized" | "materialized_view" => "materialized view",
            _ => return None,
        };
        Some(format!("{kind} {path}"))
    };
    kinds.split('|').map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn names_kinds() {
        let check = |pattern, is_bound, expected: Option<&[&str]>| {
            let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(translated(pattern, is_bound), expected, "{pattern}");
        };
        check("auth", false, Some(&["schema auth"]));
        check("auth.*", false, Some(&["schema auth"]));
        check("old", true, Some(&["table *.old", "view *.old", "sequence *.old"]));
        check("public.x_*[type=table]", false, Some(&["table public.x_*"]));
        check("*[type=extension]", false, Some(&["extension *"]));
        check("atlas_schema_revisions", true, Some(&[]));
        check("public.t.c", false, None);
        check("public.[ab]", false, None);
    }
}
