//! Pieces of SQL.

/// An identifier in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `DEFAULT` takes most expressions bare. Anything other than a value or a call, such as
/// `now() AT TIME ZONE 'utc'`, gets parentheses.
pub(crate) fn default(expression: &str) -> String {
    let simple = |it: char| it.is_ascii_alphanumeric() || "_.,:()[]{}'".contains(it);
    match expression.chars().all(simple) {
        true => format!("DEFAULT {expression}"),
        false => format!("DEFAULT ({expression})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_parentheses_around_what_needs_them() {
        let check = |expression, expected: &str| assert_eq!(default(expression), expected);
        check("0", "DEFAULT 0");
        check("now()", "DEFAULT now()");
        check("'{}'::jsonb", "DEFAULT '{}'::jsonb");
        check("now() at time zone 'utc'", "DEFAULT (now() at time zone 'utc')");
        check("1 + 1", "DEFAULT (1 + 1)");
        check("-1", "DEFAULT (-1)");
    }
}
