//! Changes of a type that the server makes by rounding or cutting, without an error.

use crate::{
    diff::{difference::Difference, plan::Plan},
    kinds::object_kind::ObjectKind,
    quote,
    sql::Hazard,
};

/// Marks the statements by which values are lost.
pub(crate) fn mark(plan: &mut Plan, differences: &[Difference]) {
    for it in differences {
        let Difference::Changed { id, attribute, from: Some(from), to: Some(to) } = it else {
            continue;
        };
        let (Some(from), Some(to)) = (from.as_str(), to.as_str()) else { continue };
        if id.kind != ObjectKind::Column || attribute != "type" || !loses(from, to) {
            continue;
        }
        let head = format!("ALTER TABLE {}\n", id.owner_path());
        let clause = format!("ALTER COLUMN {} TYPE {to}", quote::name(id.name()));
        let hazard = Hazard::LosesData(format!("what of {} does not fit {to}", id.path()));
        let is_it = |sql: &str| sql.starts_with(&head) && sql.contains(&clause);
        for it in plan.statements.iter_mut().filter(|it| is_it(&it.sql)) {
            it.hazards.insert(0, hazard.clone());
        }
    }
}

fn loses(from: &str, to: &str) -> bool {
    let [from, to] = [from, to].map(|it| it.trim_end_matches("[]"));
    let (old, new) = (base(from), base(to));
    let is_fraction = |it: &str| matches!(it, "numeric" | "real" | "double precision");
    let is_whole = |it: &str| matches!(it, "smallint" | "integer" | "bigint");
    let is_time = |it: &str| it.starts_with("time");
    match new.as_str() {
        it if is_whole(it) => is_fraction(&old) && (old != "numeric" || scale(from) > 0),
        "numeric" => is_fraction(&old) && scale(to) < scale(from),
        "real" => {
            matches!(old.as_str(), "numeric" | "double precision" | "integer" | "bigint")
        }
        "double precision" => matches!(old.as_str(), "numeric" | "bigint"),
        "date" => old.starts_with("timestamp"),
        it if it.starts_with("interval") && old.starts_with("interval") => {
            it != "interval" && it != old || precision(to) < precision(from)
        }
        it if is_time(it) && is_time(&old) => {
            old.starts_with("timestamp") && !it.starts_with("timestamp")
                || precision(to) < precision(from)
        }
        _ => false,
    }
}

/// `timestamp with time zone` of `timestamp(3) with time zone`.
fn base(of: &str) -> String {
    match (of.find('('), of.find(')')) {
        (Some(start), Some(end)) => format!("{}{}", &of[..start], &of[end + 1..]),
        _ => of.to_owned(),
    }
}

fn numbers(of: &str) -> Vec<i32> {
    let within = of.split_once('(').and_then(|(_, it)| it.split_once(')')).map_or("", |it| it.0);
    within.split(',').filter_map(|it| it.trim().parse().ok()).collect()
}

/// Digits behind the point; without a limit as many as there are.
fn scale(of: &str) -> i32 {
    let all = numbers(of);
    match all.as_slice() {
        [] => i32::MAX,
        [_] => 0,
        [_, scale, ..] => *scale,
    }
}

fn precision(of: &str) -> i32 {
    numbers(of).first().copied().unwrap_or(6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn knows_what_is_rounded() {
        let check =
            |from, to, expected| assert_eq!(super::loses(from, to), expected, "{from} {to}");
        check("integer", "bigint", false);
        check("bigint", "integer", false);
        check("numeric(10,2)", "integer", true);
        check("numeric(10,2)", "numeric(12,4)", false);
        check("numeric(10,4)", "numeric(10,2)", true);
        check("numeric", "numeric(10,2)", true);
        check("timestamp with time zone", "date", true);
        check("timestamp(6) without time zone", "timestamp(3) without time zone", true);
        check("timestamp without time zone", "timestamp with time zone", false);
        check("timestamp without time zone", "time without time zone", true);
        check("text", "character varying(10)", false);
        check("numeric(10,4)[]", "numeric(10,2)[]", true);
        check("integer[]", "bigint[]", false);
        check("numeric(10,0)", "integer", false);
        check("bigint", "double precision", true);
        check("integer", "double precision", false);
        check("integer", "real", true);
        check("smallint", "real", false);
        check("interval", "interval(0)", true);
        check("interval(0)", "interval", false);
        check("interval", "interval year to month", true);
        check("interval year to month", "interval", false);
    }
}
