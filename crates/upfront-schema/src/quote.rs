//! Names and texts as SQL.

/// The words of PostgreSQL 14 to 18 that cannot be every kind of name without quotes.
const KEYWORDS: &str = "
 all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
 boolean both case cast char character check coalesce collate collation column concurrently
 constraint create cross current_catalog current_date current_role current_schema current_time
 current_timestamp current_user dec decimal default deferrable desc distinct do else end except
 exists extract false fetch float for foreign freeze from full grant greatest group grouping having
 ilike in initially inner inout int integer intersect interval into is isnull join json json_array
 json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
 json_table json_value lateral leading least left like limit localtime localtimestamp merge_action
 national natural nchar none normalize not notnull null nullif numeric offset on only or order out
 outer overlaps overlay placing position precision primary real references returning right row
 select session_user setof similar smallint some substring symmetric system_user table tablesample
 then time timestamp to trailing treat trim true union unique user using values varchar variadic
 verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
 xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";

/// A name, in quotes where it needs them.
pub(crate) fn name(it: &str) -> String {
    if is_plain(it) { it.to_owned() } else { format!("\"{}\"", it.replace('"', "\"\"")) }
}

/// A name with those of what it is in.
pub(crate) fn qualified(parts: &[String]) -> String {
    parts.iter().map(|it| name(it)).collect::<Vec<_>>().join(".")
}

/// A text that reads the same whatever `standard_conforming_strings` is.
pub(crate) fn literal(it: &str) -> String {
    let quoted = it.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

fn is_plain(it: &str) -> bool {
    let first = it.bytes().next().is_some_and(|it| it.is_ascii_lowercase() || it == b'_');
    let rest = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    first && it.bytes().all(rest) && !KEYWORDS.split_ascii_whitespace().any(|word| word == it)
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_what_needs_it() {
        let check = |it, expected: &str| assert_eq!(super::name(it), expected);
        check("users", "users");
        check("Users", "\"Users\"");
        check("user", "\"user\"");
        check("1st", "\"1st\"");
        check("a\"b c", "\"a\"\"b c\"");
        check("", "\"\"");
    }

    #[test]
    fn quotes_every_word_that_the_server_does() {
        let server = upfront_scratch::Server::shared().unwrap();
        let sql = "select word from pg_get_keywords() where catcode <> 'U'";
        for word in server.psql("postgres", sql).unwrap().lines() {
            assert!(super::name(word).starts_with('"'), "{word}");
        }
    }

    #[test]
    fn escapes_a_text() {
        let check = |it, expected: &str| assert_eq!(super::literal(it), expected);
        check("it's", "'it''s'");
        check("a\\b", "E'a\\\\b'");
    }
}
