//! Names of tables as people write them.

/// `schema.table` or `table`, with or without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    schema: Option<Part>,
    name: Part,
}

/// One identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    text: String,
    quoted: bool,
}

impl TableName {
    /// Parses the name of a table; `None` if the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, rest) = part(text.trim())?;
        match rest.strip_prefix('.') {
            None if rest.is_empty() => Some(Self { schema: None, name: first }),
            None => None,
            Some(rest) => match part(rest)? {
                (name, "") => Some(Self { schema: Some(first), name }),
                _ => None,
            },
        }
    }

    /// Does it name this table? Without a schema, it names one on the search path.
    pub(crate) fn names(&self, schema: &str, name: &str, on_path: bool) -> bool {
        let in_schema = self.schema.as_ref().map_or(on_path, |it| it.is(schema));
        in_schema && self.name.is(name)
    }
}

impl Part {
    /// Without quotes, SQL folds a name to lower case, but many people write it as it is.
    fn is(&self, name: &str) -> bool {
        self.text == name || (!self.quoted && self.text.to_lowercase() == name)
    }
}

/// The identifier at the start of a text, and what follows it.
fn part(text: &str) -> Option<(Part, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(['.', '"']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        return is_name.then(|| (Part { text: name.to_owned(), quoted: false }, rest));
    };
    let mut name = String::new();
    let mut rest = inner;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None if name.is_empty() => return None,
            None => return Some((Part { text: name, quoted: true }, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TableName;

    #[test]
    fn names_as_people_write_them() {
        let names = |text: &str, schema: &str, name: &str| {
            TableName::parse(text).is_some_and(|it| it.names(schema, name, schema == "public"))
        };
        assert!(names("auth.schema_migrations", "auth", "schema_migrations"));
        assert!(names("Auth.Schema_Migrations", "auth", "schema_migrations"));
        assert!(!names("auth.schema_migrations", "realtime", "schema_migrations"));
        assert!(names("schema_migrations", "public", "schema_migrations"));
        assert!(!names("schema_migrations", "auth", "schema_migrations"));
        assert!(names("public.SequelizeMeta", "public", "SequelizeMeta"));
        assert!(names("public.\"SequelizeMeta\"", "public", "SequelizeMeta"));
        assert!(!names("public.\"SequelizeMeta\"", "public", "sequelizemeta"));
        assert!(names("\"a.b\".\"c\"\"d\"", "a.b", "c\"d"));
        for it in ["", "a.b.c", "a.", ".a", "a b", "\"a", "\"\"", "a\"b\""] {
            assert_eq!(TableName::parse(it), None, "{it}");
        }
    }
}
