//! Functions, procedures and aggregates.

use crate::{
    catalog::facts::Fact,
    kinds::{
        definition::{
            Change, Created, Definition, Outcome, alter_owner, plain_drop, replace, with_owner,
        },
        object_kind::ObjectKind,
        reference::reference,
    },
    sql::Sql,
};

const QUERY: &str = "
SELECT 'pg_proc'::regclass::oid, p.oid, 0,
  CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
  ARRAY[s.nspname, p.proname]::text[],
  (pg_identify_object_as_address('pg_proc'::regclass, p.oid, 0)).object_args,
  NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(p.proowner), current_user),
    'definition', rtrim(pg_get_functiondef(p.oid), E'\\n'),
    'result', pg_get_function_result(p.oid),
    'arguments', pg_get_function_identity_arguments(p.oid),
    'defaults', NULLIF(p.pronargdefaults, 0)))::text, '{}'
FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p', 'w') AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
  AND d.deptype IN ('e', 'i'))";

pub(super) static FUNCTION: Definition = Definition {
    kind: ObjectKind::Function,
    creation_order: 250,
    query: QUERY,
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("definition", alter_definition),
        ("result", replace),
        ("arguments", replace),
        ("defaults", alter_defaults),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

pub(super) static PROCEDURE: Definition = Definition {
    kind: ObjectKind::Procedure,
    creation_order: 251,
    query: "",
    create,
    drop: plain_drop,
    attributes: FUNCTION.attributes,
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

pub(super) static AGGREGATE: Definition = Definition {
    kind: ObjectKind::Aggregate,
    creation_order: 252,
    query: "
SELECT 'pg_proc'::regclass::oid, p.oid, 0, 'aggregate', ARRAY[s.nspname, p.proname]::text[],
  ARRAY[pg_get_function_identity_arguments(p.oid)], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(p.proowner), current_user),
    'definition', concat_ws(E',\\n  ',
      'SFUNC = ' || a.aggtransfn::regproc,
      'STYPE = ' || format_type(a.aggtranstype, NULL),
      'SSPACE = ' || NULLIF(a.aggtransspace, 0),
      'FINALFUNC = ' || NULLIF(a.aggfinalfn, 0)::regproc,
      CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
      CASE WHEN a.aggfinalmodify <> CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END::\"char\"
        THEN 'FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY'
          WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
      'COMBINEFUNC = ' || NULLIF(a.aggcombinefn, 0)::regproc,
      'SERIALFUNC = ' || NULLIF(a.aggserialfn, 0)::regproc,
      'DESERIALFUNC = ' || NULLIF(a.aggdeserialfn, 0)::regproc,
      'INITCOND = ' || quote_literal(a.agginitval),
      'MSFUNC = ' || NULLIF(a.aggmtransfn, 0)::regproc,
      'MINVFUNC = ' || NULLIF(a.aggminvtransfn, 0)::regproc,
      'MSTYPE = ' || CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END,
      'MSSPACE = ' || NULLIF(a.aggmtransspace, 0),
      'MFINALFUNC = ' || NULLIF(a.aggmfinalfn, 0)::regproc,
      CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
      'MINITCOND = ' || quote_literal(a.aggminitval),
      'SORTOP = ' || (SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM pg_operator o
        JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = a.aggsortop),
      CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
      CASE a.aggkind WHEN 'h' THEN 'HYPOTHETICAL' END)))::text, '{}'
FROM pg_proc p JOIN space s ON s.oid = p.pronamespace JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)",
    create: |it| {
        let definition = it.fact.text("definition").unwrap_or_default();
        let name = reference(&it.fact.id);
        with_owner(it, vec![Sql::whole(format!("CREATE AGGREGATE {name} (\n  {definition}\n)"))])
    },
    drop: plain_drop,
    attributes: &[("owner", alter_owner), ("definition", replace)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

fn definition(fact: &Fact) -> String {
    fact.text("definition").unwrap_or_default().to_owned()
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let text = definition(it.fact).replacen("CREATE OR REPLACE ", "CREATE ", 1);
    with_owner(it, vec![Sql::whole(text)])
}

fn alter_definition(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![Sql::whole(definition(it.to))])
}

/// Defaults may come and change, but not go.
fn alter_defaults(it: &Change<'_>) -> Outcome {
    let number = |fact: &Fact| fact.attributes.get("defaults").and_then(serde_json::Value::as_i64);
    match number(it.to).unwrap_or(0) < number(it.from).unwrap_or(0) {
        true => Outcome::Replace,
        false => Outcome::InPlace(Vec::new()),
    }
}
