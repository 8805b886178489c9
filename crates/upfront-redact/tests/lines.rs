//! The line of an error, without secrets, and the column in it.

use upfront_redact::redact_line;

/// `¦` marks the byte of the error, in the text and in the line expected.
fn check(marked: &str, expected: &str) {
    let at = marked.find('¦').expect("a mark");
    let (line, column) = redact_line(&marked.replace('¦', ""), at);
    let before: String = line.chars().take(column).collect();
    let after: String = line.chars().skip(column).collect();
    assert_eq!(format!("{before}¦{after}"), expected, "{marked}");
}

#[test]
fn shows_the_line_of_the_byte_alone() {
    check("¦", "¦");
    check("SELECT ¦1", "SELECT ¦1");
    check("SELECT 1;\n¦SELECT 2;\nSELECT 3;\n", "¦SELECT 2;");
    check("SELECT 1;\nSELECT 2;¦\nSELECT 3;\n", "SELECT 2;¦");
    check("SELECT 'ä' || ¦x;\n", "SELECT 'ä' || ¦x;");
}

#[test]
fn hides_secrets_before_and_behind_the_byte() {
    let role = "ALTER ROLE a PASSWORD";
    check(&format!("{role} 'hunter2' ¦LOGIN"), &format!("{role} '***' ¦LOGIN"));
    check("ALTER ROLE ¦a PASSWORD 'hunter2'", "ALTER ROLE ¦a PASSWORD '***'");
    check(&format!("{role} 'hunter2';\nSELECT ¦x;"), "SELECT ¦x;");
    check(&format!("SELECT ¦x;\n{role} 'hunter2';"), "SELECT ¦x;");
}

#[test]
fn a_byte_within_a_secret_is_where_the_secret_starts() {
    check("ALTER ROLE a PASSWORD 'hun¦ter2' LOGIN", "ALTER ROLE a PASSWORD '¦***' LOGIN");
}

#[test]
fn a_secret_of_two_lines_is_hidden_in_both() {
    let (first, second) = ("ALTER ROLE a PASSWORD 'hunter", "two' LOGIN");
    let shown =
        |marked: &str| redact_line(&marked.replace('¦', ""), marked.find('¦').expect("a mark")).0;
    for marked in [format!("¦{first}\n{second}"), format!("{first}\n{second}¦")] {
        let line = shown(&marked);
        assert!(!line.contains("hunter") && !line.contains("two"), "{line}");
    }
}
