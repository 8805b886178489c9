//! Down scripts as the table `revisions` stores them.

use postgres_protocol::escape::escape_literal;

use super::{Revisions, record::MORE, record::more};
use crate::{
    connection::sql::PINNED,
    embedded::{Class, Loss, LossKind, Migration, Side, Statement},
    plan::metadata::Tables,
};

impl Revisions {
    /// A changed or added down side is no divergence: the next write stores it.
    pub(crate) fn store_down(&self, it: &Migration) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(it.version);
        let (down, more) = (down(it.down.as_ref()), more(it));
        format!(
            "UPDATE {schema}.revisions SET (down_sql, down_hash, down_transactional, \
             down_statements{MORE}) = ROW({down}{more}) WHERE app OPERATOR(pg_catalog.=) {app} AND version \
             OPERATOR(pg_catalog.=) {version};"
        )
    }

    /// The down sides that the database has stored, of these versions, newest first; their
    /// statements, and what each of those may lose.
    ///
    /// The server takes the JSON apart: a program parses nothing.
    pub(crate) fn stored(&self, versions: &[&str], tables: Tables) -> String {
        let Self { schema, app, .. } = self;
        let versions: Vec<_> = versions.iter().map(|it| escape_literal(it)).collect();
        let rows = format!("app = {app} AND version IN ({})", versions.join(", "));
        let more = match tables {
            Tables::Old => "false, NULL, NULL, NULL",
            Tables::Current => "checkpoint, down_body, down_lock_timeout, down_statement_timeout",
        };
        format!(
            "{PINNED}SELECT version AS upfront_stored, name, hash, chain, breaking, irreversible, \
             down_sql, down_hash, down_transactional, {more} FROM {schema}.revisions WHERE {rows} \
             ORDER BY version DESC;SELECT version AS upfront_statement, it ->> 'start', it ->> \
             'end', it ->> 'line', it ->> 'class', it ->> 'index', it ->> 'table', it ->> \
             'parent', it ->> 'partition', it ->> 'name', it ->> 'secret', it #>> '{{data,0}}', it \
             #>> '{{data,1}}' FROM \
             {schema}.revisions, jsonb_array_elements(down_statements) WITH ORDINALITY s (it, ord) \
             WHERE {rows} ORDER BY version, ord;SELECT version AS upfront_loss, ord, l ->> 'kind', \
             l ->> 'name', l ->> 'column' FROM {schema}.revisions, \
             jsonb_array_elements(down_statements) WITH ORDINALITY s (it, ord), \
             jsonb_array_elements(it -> 'losses') l WHERE {rows} ORDER BY version, ord"
        )
    }
}

/// SQL, hash, mode and statements of a down side.
pub(super) fn down(it: Option<&Side>) -> String {
    let Some(it) = it else { return "NULL, NULL, NULL, NULL".into() };
    let statements: Vec<_> = it.statements().iter().map(statement_json).collect();
    let statements = escape_literal(&format!("[{}]", statements.join(",")));
    let (source, hash, transactional) = (escape_literal(it.source), it.hash, it.transactional);
    format!("{source}, '{hash}', {transactional}, {statements}")
}

/// What an older program must know of a statement, since it parses nothing.
pub(super) fn statement_json(it: &Statement) -> String {
    let Statement { start, end, line, class, losses, secret, data, .. } = it;
    let losses: Vec<_> = losses.iter().map(loss_json).collect();
    let data = data.as_ref().map(|it| format!("\"data\":[{},{}],", it.lines.start, it.lines.end));
    let data = data.unwrap_or_default();
    format!(
        "{{\"start\":{start},\"end\":{end},{data}\"line\":{line},{},\"secret\":{secret},\"losses\":[{}]}}",
        class_json(*class),
        losses.join(",")
    )
}

pub(super) fn loss_json(Loss { kind, name, column }: &Loss) -> String {
    let column = column.map_or(String::new(), |it| format!(",\"column\":{}", json(it)));
    format!("{{\"kind\":\"{}\",\"name\":{}{column}}}", kind_word(*kind), json(name))
}

pub(super) fn kind_word(it: LossKind) -> &'static str {
    match it {
        LossKind::Table => "table",
        LossKind::Column => "column",
        LossKind::ColumnType => "column_type",
        LossKind::Rows => "rows",
        LossKind::Type => "type",
        LossKind::Schema => "schema",
        LossKind::Sequence => "sequence",
        LossKind::Extension => "extension",
        LossKind::Unknown => "unknown",
    }
}

pub(super) fn class_json(class: Class) -> String {
    let named = |class: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, it)| format!(",\"{name}\":{}", json(it)));
        format!("\"class\":\"{class}\"{}", fields.collect::<String>())
    };
    match class {
        Class::Transactional => named("transactional", &[]),
        Class::Session => named("session", &[]),
        Class::CreateIndex { index, table, .. } => {
            named("create_index", &[("index", index.unwrap_or_default()), ("table", table)])
        }
        Class::DropIndex { index, .. } => named("drop_index", &[("index", index)]),
        Class::ReindexIndex { index } => named("reindex_index", &[("index", index)]),
        Class::ReindexTable { table } => named("reindex_table", &[("table", table)]),
        Class::DetachPartition { parent, partition } => {
            named("detach_partition", &[("parent", parent), ("partition", partition)])
        }
        Class::CreateDatabase { name } => named("create_database", &[("name", name)]),
        Class::DropDatabase { name } => named("drop_database", &[("name", name)]),
        Class::Repeatable => named("repeatable", &[]),
        Class::Unknown => named("unknown", &[]),
    }
}

/// A JSON string; the text is UTF-8 and holds no NUL.
pub(super) fn json(text: &str) -> String {
    let escaped = text.chars().map(|it| match it {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        it if it < ' ' => format!("\\u{:04x}", u32::from(it)),
        it => it.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
