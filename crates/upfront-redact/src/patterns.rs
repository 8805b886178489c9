//! Secrets that are known by their own look, wherever they stand.

use std::ops::Range;

/// The secrets of a text: passwords in URLs, private keys, tokens of well-known services.
pub(crate) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = addresses(text);
    found.extend(private_keys(text));
    found.extend(tokens(text));
    found.extend(commands(text));
    found
}

/// The password of each `scheme://user:password@host`. A password may hold each of the marks that
/// should have been escaped in it, but for blanks and quotes.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let run = run(text, start);
        let scheme = text[..at].rsplit(|it: char| !it.is_ascii_alphanumeric()).next();
        // With other schemes, the path may contain an `@`.
        let is_database = scheme.is_some_and(|it| {
            ["postgres", "postgresql", "mysql", "redis", "rediss", "mongodb", "amqp", "amqps"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(it))
        });
        let authority = match is_database {
            true => run,
            false => run.split(['/', '?', '#']).next().unwrap_or_default(),
        };
        let Some(end) = authority.rfind('@') else { continue };
        let Some(colon) = authority[..end].find(':') else { continue };
        if colon + 1 < end && !is_port_and_path(&authority[colon + 1..end]) {
            found.push(start + colon + 1..start + end);
        }
    }
    found
}

/// `5432/d?email=a` of `host:5432/d?email=a@b` is no password.
fn is_port_and_path(text: &str) -> bool {
    text.split_once(['/', '?'])
        .is_some_and(|(port, _)| !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()))
}

fn private_keys(text: &str) -> Vec<Range<usize>> {
    const MARK: &str = "PRIVATE KEY-----";
    let mut found = Vec::new();
    for (start, _) in text.match_indices(MARK) {
        if !text[..start].rsplit('\n').next().unwrap_or_default().contains("-----BEGIN") {
            continue;
        }
        let start = start + MARK.len();
        let end = text[start..].find("-----END").map_or(text.len(), |it| start + it);
        found.push(start..end);
    }
    found
}

/// How tokens of well-known services begin, and how long they are at least.
const PREFIXES: [(&str, usize); 16] = [
    ("Bearer ", 12),
    ("Basic ", 14),
    ("SCRAM-SHA-256$", 24),
    ("eyJ", 24),
    ("AKIA", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("whsec_", 16),
];

fn tokens(text: &str) -> Vec<Range<usize>> {
    let of = |(prefix, least): &(&str, usize)| {
        let places: Vec<_> = text.match_indices(*prefix).map(|(at, _)| at).collect();
        let least = *least;
        let length = prefix.len();
        places.into_iter().filter_map(move |at| {
            let starts = text[..at].chars().next_back().is_none_or(|it| !it.is_alphanumeric());
            let end = at + length + run(text, at + length).len();
            (starts && end - at >= least).then_some(at..end)
        })
    };
    PREFIXES.iter().flat_map(of).collect()
}

/// Passwords in the arguments of programs: `--password x`, `curl -u user:x`.
fn commands(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, option) in text.match_indices("--password ") {
        let start = at + option.len();
        found.push(start..start + run(text, start).len());
    }
    for (at, option) in text.match_indices(" -u ") {
        let start = at + option.len();
        let run = run(text, start);
        if let Some(colon) = run.find(':') {
            found.push(start + colon + 1..start + run.len());
        }
    }
    found
}

/// Up to the next blank, quote or bracket.
pub(crate) fn run(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let ends = |it: char| it.is_whitespace() || "'\"`<>".contains(it);
    &rest[..rest.find(ends).unwrap_or(rest.len())]
}
