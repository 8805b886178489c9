//! Tables that fit the terminal.

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets::NOTHING};

use crate::cli::output::Output;

/// A table without lines, as wide as the terminal at most.
///
/// Where the output is no terminal `COLUMNS` says how wide; without it lines are as long as they
/// need to be, for the sake of `grep`.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).enforce_styling().style_text_only();
    match Output::width() {
        Some(it) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(it),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(header.map(|it| Cell::new(it).fg(Color::DarkGrey)));
    for (at, it) in table.column_iter_mut().enumerate() {
        it.set_padding((0, if at + 1 == N { 0 } else { 2 }));
    }
    table
}

/// Says which columns never wrap.
pub(super) fn keep_whole(table: &mut Table, columns: &[usize]) {
    for it in columns {
        if let Some(column) = table.column_mut(*it) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// The table's text, without blanks at the ends of lines.
pub(super) fn text(table: &Table) -> String {
    table.trim_fmt()
}
