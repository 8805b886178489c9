//! As a graph of Graphviz, see <https://graphviz.org/doc/info/lang.html>.

use std::fmt::Write;

use crate::diagram::{Column, Diagram, Relation, Table};

impl Diagram {
    /// The text of a graph in which each schema is a group.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = "digraph {\n  rankdir = LR;\n  node [shape = plain];\n".to_owned();
        let mut schemas: Vec<_> = self.tables.iter().map(|it| it.schema.as_str()).collect();
        schemas.dedup();
        for (at, schema) in schemas.into_iter().enumerate() {
            let _ = writeln!(text, "  subgraph cluster_{at} {{\n    label = {};", quoted(schema));
            let tables = self.tables.iter().enumerate().filter(|(_, it)| it.schema == schema);
            tables.for_each(|(at, it)| text.push_str(&table(at, it)));
            text.push_str("  }\n");
        }
        self.relations.iter().for_each(|it| text.push_str(&relation(it)));
        text + "}\n"
    }
}

fn table(at: usize, table: &Table) -> String {
    let mut text = format!(
        "    t{at} [label = <<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\">\n      \
         <TR><TD COLSPAN=\"3\"><B>{}</B>",
        html(&table.name)
    );
    if let Some(it) = table.partitions() {
        let _ = write!(text, "<BR/>{it}");
    }
    text.push_str("</TD></TR>\n");
    for (port, it) in table.columns.iter().enumerate() {
        text.push_str(&column(port, it));
    }
    text + "    </TABLE>>];\n"
}

fn column(port: usize, it: &Column) -> String {
    let null = if it.not_null { "" } else { " NULL" };
    // A cell that is empty is no cell.
    let marks = if it.marks.is_empty() { " ".to_owned() } else { it.marks.join(", ") };
    format!(
        "      <TR><TD>{marks}</TD><TD PORT=\"c{port}\" ALIGN=\"LEFT\">{}</TD><TD \
         ALIGN=\"LEFT\">{}{null}</TD></TR>\n",
        html(&it.name),
        html(&it.declared)
    )
}

fn relation(it: &Relation) -> String {
    let (from, to) = (it.from, it.to);
    let Some((own, theirs)) = it.ports else {
        return format!("  t{from} -> t{to} [arrowhead = onormal, style = dashed];\n");
    };
    let one = if it.is_optional { "teeodot" } else { "teetee" };
    let many = if it.is_unique { "teeodot" } else { "crowodot" };
    format!(
        "  t{from}:c{own} -> t{to}:c{theirs} [label = {}, dir = both, arrowhead = {one}, arrowtail = \
         {many}];\n",
        quoted(&it.name)
    )
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], "\\n");
    format!("\"{text}\"")
}

/// A text within markup; a line feed is shown, as it would be a blank.
fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace('"', "&quot;").replace(['\n', '\r'], "&#8629;");
    text.chars().filter(|it| !it.is_control()).collect()
}
