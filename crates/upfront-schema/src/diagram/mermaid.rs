//! As Mermaid's entity-relationship diagram.
//!
//! See <https://mermaid.js.org/syntax/entityRelationshipDiagram.html>. Words of its grammar hold few
//! characters, so that what does not fit stands beside them as it is, between quotes.

use std::fmt::Write;

use crate::diagram::{Column, Diagram, Relation, Table};

impl Diagram {
    /// The text of a Mermaid diagram.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "erDiagram\n".to_owned();
        let is_one = self.tables.windows(2).all(|it| it[0].schema == it[1].schema);
        for (at, table) in self.tables.iter().enumerate() {
            let name = if is_one {
                table.name.clone()
            } else {
                format!("{}.{}", table.schema, table.name)
            };
            let _ = writeln!(text, "  t{at}[{}] {{", quoted(&entity(&name, table)));
            table.columns.iter().for_each(|it| text.push_str(&column(it)));
            text.push_str("  }\n");
        }
        self.relations.iter().for_each(|it| text.push_str(&relation(it)));
        text
    }
}

fn entity(name: &str, table: &Table) -> String {
    table.partitions().map_or_else(|| name.to_owned(), |it| format!("{name} ({it})"))
}

fn column(it: &Column) -> String {
    let (declared, name) = (word(&it.declared), word(&it.name));
    let mut text = format!("    {declared} {name}");
    if !it.marks.is_empty() {
        let _ = write!(text, " {}", it.marks.join(", "));
    }
    let exact: Vec<_> = [(&name, &it.name), (&declared, &it.declared)]
        .into_iter()
        .filter(|(word, exact)| word != exact)
        .map(|(_, exact)| exact.as_str())
        .collect();
    if !exact.is_empty() {
        let _ = write!(text, " {}", quoted(&exact.join(" ")));
    }
    text + "\n"
}

fn relation(it: &Relation) -> String {
    let one = if it.is_optional { "|o" } else { "||" };
    let many = if it.is_unique { "o|" } else { "o{" };
    let line = if it.ports.is_some() { "--" } else { ".." };
    format!("  t{} {one}{line}{many} t{} : {}\n", it.to, it.from, quoted(&it.name))
}

/// What a type or a name of a column may be.
fn word(text: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || "-_[]()".contains(it) || it >= '\u{c0}';
    let word: String = text.chars().map(|it| if fits(it) { it } else { '_' }).collect();
    let starts =
        word.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_' || it >= '\u{c0}');
    match starts && !is_mark(&word) {
        true => word,
        false => format!("_{word}"),
    }
}

/// Whether it reads as the mark of a key.
fn is_mark(word: &str) -> bool {
    let end = word.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(word.len());
    ["PK", "FK", "UK"].iter().any(|it| word[..end].eq_ignore_ascii_case(it))
}

/// A text between quotes, in which nothing ends it.
fn quoted(text: &str) -> String {
    let mut inner = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '"' => inner.push_str("#quot;"),
            '#' | '%' | '\\' | '<' | '>' | '&' => {
                let _ = write!(inner, "#{};", u32::from(it));
            }
            it if it.is_control() => inner.push(' '),
            it => inner.push(it),
        }
    }
    format!("\"{inner}\"")
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_hold_what_the_grammar_takes() {
        let check = |it, expected| assert_eq!(super::word(it), expected);
        check("bigint", "bigint");
        check("numeric(10,2)", "numeric(10_2)");
        check("1st name", "_1st_name");
        check("größe", "größe");
        check("", "_");
        check("pk", "_pk");
        check("FK-1", "_FK-1");
        check("pkey", "pkey");
    }

    #[test]
    fn nothing_ends_a_text() {
        let check = |it, expected| assert_eq!(super::quoted(it), expected);
        check("a \"b\"\n#1; 100% \\ <i>", "\"a #quot;b#quot; #35;1; 100#37; #92; #60;i#62;\"");
    }
}
