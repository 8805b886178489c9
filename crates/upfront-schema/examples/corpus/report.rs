//! What came out, by source and by kind.

use std::collections::BTreeMap;
use std::fmt::Write;

use upfront_schema::Strategy;

pub(crate) struct Outcome {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) strategy: Strategy,
    pub(crate) failure: Option<String>,
}

pub(crate) fn text(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for it in outcomes {
        if let Some(why) = &it.failure {
            let why: String = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = why.chars().take(400).collect();
            let _ = writeln!(text, "failed {}, {}: {short}", it.name, word(it.strategy));
        }
    }
    for strategy in [Strategy::Plain, Strategy::Online] {
        let some: Vec<_> = outcomes.iter().filter(|it| it.strategy == strategy).collect();
        if some.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}, by source", word(strategy));
        shares(&mut text, &some, |it| vec![it.source.clone()]);
        let _ = writeln!(text, "\n{}, by kind that changes", word(strategy));
        shares(&mut text, &some, |it| it.kinds.clone());
        let passed = some.iter().filter(|it| it.failure.is_none()).count();
        let _ = writeln!(text, "\n{}", line("all", passed, some.len()));
    }
    text
}

/// How many of a hundred passed.
pub(crate) fn share(outcomes: &[Outcome]) -> f64 {
    let passed = outcomes.iter().filter(|it| it.failure.is_none()).count();
    #[allow(clippy::cast_precision_loss, reason = "there are not that many pairs")]
    let share = passed as f64 * 100.0 / outcomes.len().max(1) as f64;
    share
}

fn word(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Plain => "plain",
        Strategy::OnlineBuilds | Strategy::Online => "online",
    }
}

fn shares(text: &mut String, outcomes: &[&Outcome], keys: impl Fn(&Outcome) -> Vec<String>) {
    let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for it in outcomes {
        for key in keys(it) {
            let entry = all.entry(key).or_default();
            entry.0 += usize::from(it.failure.is_none());
            entry.1 += 1;
        }
    }
    for (key, (passed, count)) in all {
        let _ = writeln!(text, "{}", line(&key, passed, count));
    }
}

fn line(name: &str, passed: usize, count: usize) -> String {
    let percent = (passed * 1000).checked_div(count).unwrap_or_default();
    format!("{name:<24} {passed:>5} of {count:>5}  {:>3}.{} %", percent / 10, percent % 10)
}
