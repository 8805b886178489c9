//! What came out, by source and by kind.

use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) struct Outcome {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) failure: Option<String>,
}

pub(crate) fn text(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for it in outcomes {
        if let Some(why) = &it.failure {
            let why: String = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = why.chars().take(400).collect();
            let _ = writeln!(text, "failed {}: {short}", it.name);
        }
    }
    let _ = writeln!(text, "\nby source");
    shares(&mut text, outcomes, |it| vec![it.source.clone()]);
    let _ = writeln!(text, "\nby kind that changes");
    shares(&mut text, outcomes, |it| it.kinds.clone());
    let passed = outcomes.iter().filter(|it| it.failure.is_none()).count();
    let _ = writeln!(text, "\n{}", share("all", passed, outcomes.len()));
    text
}

fn shares(text: &mut String, outcomes: &[Outcome], keys: impl Fn(&Outcome) -> Vec<String>) {
    let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for it in outcomes {
        for key in keys(it) {
            let entry = all.entry(key).or_default();
            entry.0 += usize::from(it.failure.is_none());
            entry.1 += 1;
        }
    }
    for (key, (passed, count)) in all {
        let _ = writeln!(text, "{}", share(&key, passed, count));
    }
}

fn share(name: &str, passed: usize, count: usize) -> String {
    let percent = (passed * 1000).checked_div(count).unwrap_or_default();
    format!("{name:<24} {passed:>5} of {count:>5}  {:>3}.{} %", percent / 10, percent % 10)
}
