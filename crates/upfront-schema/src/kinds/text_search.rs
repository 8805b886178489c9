//! Text search: parsers, templates, dictionaries and configurations.

use crate::kinds::{
    definition::{Definition, opaque},
    object_kind::ObjectKind,
};

pub(super) static PARSER: Definition = opaque(
    ObjectKind::TextSearchParser,
    251,
    "
SELECT 'pg_ts_parser'::regclass::oid, p.oid, 0, 'text search parser',
  ARRAY[s.nspname, p.prsname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('statements', jsonb_build_array(
    format('CREATE TEXT SEARCH PARSER %I.%I (', s.nspname, p.prsname) || concat_ws(', ',
      'START = ' || p.prsstart, 'GETTOKEN = ' || p.prstoken, 'END = ' || p.prsend,
      'LEXTYPES = ' || p.prslextype,
      'HEADLINE = ' || NULLIF(p.prsheadline::oid, 0)::regproc) || ')'))::text, '{}'
FROM pg_ts_parser p JOIN space s ON s.oid = p.prsnamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_ts_parser'::regclass AND m.objid = p.oid)",
);

pub(super) static TEMPLATE: Definition = opaque(
    ObjectKind::TextSearchTemplate,
    251,
    "
SELECT 'pg_ts_template'::regclass::oid, t.oid, 0, 'text search template',
  ARRAY[s.nspname, t.tmplname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('statements', jsonb_build_array(
    format('CREATE TEXT SEARCH TEMPLATE %I.%I (', s.nspname, t.tmplname) || concat_ws(', ',
      'INIT = ' || NULLIF(t.tmplinit::oid, 0)::regproc, 'LEXIZE = ' || t.tmpllexize)
    || ')'))::text, '{}'
FROM pg_ts_template t JOIN space s ON s.oid = t.tmplnamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_ts_template'::regclass AND m.objid = t.oid)",
);

pub(super) static DICTIONARY: Definition = opaque(
    ObjectKind::TextSearchDictionary,
    252,
    "
SELECT 'pg_ts_dict'::regclass::oid, d.oid, 0, 'text search dictionary',
  ARRAY[s.nspname, d.dictname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(d.dictowner), current_user),
    'statements', jsonb_build_array(
      format('CREATE TEXT SEARCH DICTIONARY %I.%I (', s.nspname, d.dictname) || concat_ws(', ',
        format('TEMPLATE = %I.%I', n.nspname, t.tmplname), d.dictinitoption) || ')')))::text, '{}'
FROM pg_ts_dict d JOIN space s ON s.oid = d.dictnamespace
JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace n ON n.oid = t.tmplnamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_ts_dict'::regclass AND m.objid = d.oid)",
);

pub(super) static CONFIGURATION: Definition = opaque(
    ObjectKind::TextSearchConfiguration,
    253,
    "
SELECT 'pg_ts_config'::regclass::oid, c.oid, 0, 'text search configuration',
  ARRAY[s.nspname, c.cfgname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.cfgowner), current_user),
    'statements', jsonb_build_array(format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)',
      s.nspname, c.cfgname, n.nspname, p.prsname)) || coalesce((
        SELECT jsonb_agg(format('ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %s WITH %s',
          s.nspname, c.cfgname, m.words, m.dictionaries) ORDER BY m.words)
        FROM (SELECT string_agg(quote_ident(alias), ', ' ORDER BY alias) AS words, dictionaries FROM (
          SELECT t.alias, string_agg(format('%I.%I', k.nspname, d.dictname), ', '
            ORDER BY m.mapseqno) AS dictionaries
          FROM pg_ts_config_map m JOIN ts_token_type(c.cfgparser) t ON t.tokid = m.maptokentype
          JOIN pg_ts_dict d ON d.oid = m.mapdict JOIN pg_namespace k ON k.oid = d.dictnamespace
          WHERE m.mapcfg = c.oid GROUP BY t.alias) t GROUP BY dictionaries) m), '[]')))::text, '{}'
FROM pg_ts_config c JOIN space s ON s.oid = c.cfgnamespace
JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace n ON n.oid = p.prsnamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = c.oid)",
);
