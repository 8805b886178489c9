//! What holds for every text.

use proptest::prelude::*;
use upfront_directory::{Directory, Errors, Side, Sum};

fn read(files: &[(&str, Vec<u8>)]) -> Result<Directory, Errors> {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
    Directory::from_files("migrations", files)
}

fn up(text: &str) -> Option<Side> {
    let directory = read(&[("1_a.sql", text.as_bytes().to_vec())]).ok()?;
    Some(directory.migrations()[0].up.clone())
}

/// Texts that are made of what decides where statements end.
fn sql() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("''"),
        Just("E'"),
        Just("\\'"),
        Just("U&'"),
        Just("\""),
        Just("$$"),
        Just("$a$"),
        Just("$1"),
        Just("--"),
        Just("/*"),
        Just("*/"),
        Just(";"),
        Just("("),
        Just(")"),
        Just("\n"),
        Just(" "),
        Just("\r\n"),
        Just("é"),
        Just("SELECT "),
        Just("CREATE FUNCTION "),
        Just(" BEGIN ATOMIC "),
        Just(" END"),
        Just("a.b"),
        Just("DROP TABLE t"),
        Just("-- atlas:delimiter //\n"),
        Just("//"),
        Just("-- atlas:txmode none\n\n"),
        Just("COPY t FROM STDIN"),
        Just("1"),
        Just("ALTER TABLE t SET (pg_a=1"),
        Just(", pg_b='2'"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(bytes: Vec<u8>, name in ".{0,12}", text in sql()) {
        let _ = read(&[(&format!("{name}.sql"), bytes.clone()), ("1_a.sql", text.into_bytes()), ("atlas.sum", bytes)]);
    }

    #[test]
    fn statements_stand_apart_and_in_order(text in sql()) {
        let Some(side) = up(&text) else { return Ok(()) };
        let mut end = 0;
        for it in &side.statements {
            prop_assert!(end <= it.range.start && it.range.start < it.range.end);
            prop_assert!(side.body.get(it.range.clone()).is_some());
            prop_assert_eq!(it.line as usize, side.source[..it.range.start].matches('\n').count() + 1);
            end = it.range.end;
        }
        prop_assert!(end <= side.body.len());
        prop_assert_eq!(side.body.len(), side.source.len());
    }

    #[test]
    fn a_statement_alone_is_one_statement(text in sql()) {
        let Some(side) = up(&text) else { return Ok(()) };
        for it in &side.statements {
            let alone = side.body[it.range.clone()].to_owned();
            // Alone it has no header to say that it runs outside a transaction.
            let Some(side) = up(&alone) else { continue };
            prop_assert_eq!(side.statements.len(), 1);
            prop_assert_eq!(&side.statements[0].range, &(0..alone.len()));
            prop_assert_eq!(&side.statements[0].losses, &it.losses);
        }
    }

    #[test]
    fn texts_one_after_the_other_have_the_statements_of_both(a in sql(), b in sql()) {
        let (Some(one), Some(other)) = (up(&a), up(&b)) else { return Ok(()) };
        let is_plain = |it: &str| !it.contains("atlas:") && !it.contains('(') && !it.contains("ATOMIC");
        if !is_plain(&a) || !is_plain(&b) {
            return Ok(());
        }
        let both = up(&format!("{a}\n;\n{b}")).unwrap();
        prop_assert_eq!(both.statements.len(), one.statements.len() + other.statements.len());
    }

    #[test]
    fn options_of_a_server_can_be_taken_out(text in sql()) {
        let mut left = text.clone();
        let mut after = text.len();
        for it in upfront_directory::internal_options(&text).into_iter().rev() {
            prop_assert!(it.start < it.end && it.end <= after && text[it.clone()].contains("pg_"));
            after = it.start;
            left.replace_range(it, "");
        }
        prop_assert_eq!(upfront_directory::internal_options(&left), []);
    }

    #[test]
    fn line_ends_do_not_change_a_hash(text in sql()) {
        let Some(plain) = up(&text.replace("\r\n", "\n")) else { return Ok(()) };
        let Some(windows) = up(&text.replace("\r\n", "\n").replace('\n', "\r\n")) else {
            prop_assert!(text.contains("atlas:"));
            return Ok(());
        };
        prop_assert_eq!(plain, windows);
    }

    #[test]
    fn a_sum_is_read_as_it_was_written(files in prop::collection::btree_map("[0-9a-z_ é.-]{1,8}\\.sql", ".{0,20}", 0..6)) {
        let sum = Sum::of(files.iter().map(|(name, text)| (name.trim(), text.as_bytes())));
        prop_assert_eq!(sum.to_string().parse(), Ok(sum));
    }
}
