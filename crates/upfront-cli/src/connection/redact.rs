//! Passwords are shown to nobody.

/// A URL or a list of parameters as it may be shown, however malformed it is.
pub(crate) fn address(text: &str) -> String {
    let mut shown = text.to_owned();
    if let Some((start, end)) = userinfo(&shown) {
        shown.replace_range(start..end, "***");
    }
    parameters(&shown, |it| "*".repeat(it.len().min(3)))
}

/// A text of several lines as it may be shown; each byte keeps its place.
pub(crate) fn file(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let mut shown = line.to_owned();
        if let Some((start, end)) = userinfo(line).filter(|it| !is_variable(&line[it.0..it.1])) {
            shown.replace_range(start..end, &"*".repeat(end - start));
        }
        parameters(&shown, |it| match is_variable(it) {
            true => it.to_owned(),
            false => "*".repeat(it.len()),
        })
    });
    lines.collect()
}

fn is_variable(it: &str) -> bool {
    it.starts_with("${") && it.find('}') == Some(it.len() - 1) && !it.contains(":-")
}

/// From the `:` after the user to the last `@`: a password may hold each of the marks that should
/// have been escaped.
fn userinfo(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let end = start + text[start..].rfind('@')?;
    // The user may be a variable with a default: `${USER:-postgres}`.
    let mut from = start;
    while text[from..end].starts_with("${") {
        from += text[from..end].find('}').map_or(end - from, |it| it + 1);
    }
    let colon = from + text[from..end].find(':')?;
    Some((colon + 1, end))
}

/// The values of `password=` and `sslpassword=`.
fn parameters(text: &str, masked: impl Fn(&str) -> String) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("password") {
        let (before, after) = rest.split_at(at + "password".len());
        shown.push_str(before);
        let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
        let Some(value) = after[blanks..].strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        shown.push_str(&after[..after.len() - value.len()]);
        let end = match value.starts_with(['\'', '"', '\\']) {
            true => value.trim_end_matches('\n').len(),
            false => value.find(['&', ' ', '\t', '\n', '"']).unwrap_or(value.len()),
        };
        shown.push_str(&masked(&value[..end]));
        rest = &value[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn hides_what_stands_for_a_password() {
        check("postgres://u:p@h/d", "postgres://u:***@h/d");
        check("postgres://u@h:1/d", "postgres://u@h:1/d");
        check("postgres://u:p@ss/w?rd@h:x/d", "postgres://u:***@h:x/d");
        check(
            "postgres://h/d?user=u&password=secret&sslmode=x",
            "postgres://h/d?user=u&password=***&sslmode=x",
        );
        check("host=h password=secret user=u", "host=h password=*** user=u");
        check("host=h password = 's e' user=u", "host=h password = ***");
        check("host=h PASSWORD=secret", "host=h PASSWORD=***");
        check("postgres://u:${PASSWORD}@h", "postgres://u:***@h");
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(super::address(text), expected);
    }

    #[test]
    fn keeps_places_in_a_file() {
        let text = "[env.dev]\nurl = \"postgres://u:sécret@h/${DB}\"\n";
        let shown = super::file(text);
        assert_eq!(shown, "[env.dev]\nurl = \"postgres://u:*******@h/${DB}\"\n");
        assert_eq!(shown.find("${DB}"), text.find("${DB}"));
        let variable = "url = \"postgres://${USER:-me}:${PASSWORD}@h/d\"\n";
        assert_eq!(super::file(variable), variable);
    }
}
