//! A page of Markdown.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

#[derive(Debug)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        Self(format!("# {title}\n\n<!-- Generated: run the command below. -->\n"))
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.0 += &["\n## ", text, "\n"].concat();
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        self.0 += &["\n", text, "\n"].concat();
    }

    pub(crate) fn table(&mut self, header: &[String], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header).add_rows(rows);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.paragraph(&align(&table.trim_fmt()));
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Markdown aligns by the line under the header.
fn align(table: &str) -> String {
    let rule = |line: &str| {
        let columns = line.trim_matches('|').split('|').enumerate();
        let column = |(at, it): (usize, &str)| match at {
            0 => it.to_owned(),
            _ => format!("{}:", &it[1..]),
        };
        format!("|{}|", columns.map(column).collect::<Vec<_>>().join("|"))
    };
    let lines = table.lines().enumerate();
    let line = |(at, it): (usize, &str)| if at == 1 { rule(it) } else { it.to_owned() };
    lines.map(line).collect::<Vec<_>>().join("\n")
}
