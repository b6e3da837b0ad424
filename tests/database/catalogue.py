"""A database's catalogue as lines of text, to compare two databases in all that they have."""

from typing import Any

import psycopg

OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"

QUERIES = {
    "schema": f"select n.nspname, n.nspowner::regrole, n.nspacl from pg_namespace n where {OURS}",
    "relation": f"""
        select n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner::regrole, c.relacl,
          c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relreplident,
          pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
          case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where {OURS}""",
    "column": f"""
        select n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
          a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcollation::regcollation,
          a.attacl, a.attoptions, a.attstattarget, pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid
          join pg_namespace n on n.oid = c.relnamespace
          left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where {OURS} and a.attnum > 0 and not a.attisdropped""",
    "constraint": f"""
        select n.nspname, c.conrelid::regclass, c.conname, c.contype, c.convalidated,
          pg_get_constraintdef(c.oid)
        from pg_constraint c join pg_namespace n on n.oid = c.connamespace where {OURS}""",
    "index": f"""
        select pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident
        from pg_index i join pg_class c on c.oid = i.indexrelid
          join pg_namespace n on n.oid = c.relnamespace where {OURS}""",
    "sequence": "select schemaname, sequencename, sequenceowner, data_type, start_value, min_value,"
    " max_value, increment_by, cycle, cache_size from pg_sequences",
    "function": f"""
        select p.oid::regprocedure, p.proowner::regrole, p.proacl,
          case when p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OURS}""",
    "type": f"""
        select n.nspname, t.typname, t.typtype, t.typowner::regrole, t.typacl,
          (select array_agg(e.enumlabel order by e.enumsortorder) from pg_enum e
            where e.enumtypid = t.oid)
        from pg_type t join pg_namespace n on n.oid = t.typnamespace where {OURS}""",
    "trigger": "select pg_get_triggerdef(oid), tgenabled from pg_trigger where not tgisinternal",
    "rule": f"""
        select pg_get_ruledef(r.oid) from pg_rewrite r join pg_class c on c.oid = r.ev_class
          join pg_namespace n on n.oid = c.relnamespace where {OURS}""",
    "policy": "select * from pg_policies",
    "default rights": "select defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype,"
    " defaclacl from pg_default_acl",
    "extension": "select extname, extversion, extnamespace::regnamespace from pg_extension",
    "comment": """
        select pg_describe_object(classoid, objoid, objsubid), description from pg_description
        where classoid <> 'pg_language'::regclass and objoid >= 16384""",
    "statistics": "select pg_get_statisticsobjdef(oid) from pg_statistic_ext",
    "publication": "select pubname from pg_publication",
    "migration": "select number, name, checksum from grnry.migrations",
}


def catalogue(connection: psycopg.Connection[Any]) -> list[str]:
    lines: list[str] = []
    for kind, query in QUERIES.items():
        lines += [f"{kind}: {_sorted(row)}" for row in connection.execute(query.encode())]
    return sorted(lines)


def _sorted(row: Any) -> tuple[Any, ...]:
    """The order of grants is the order in which they were made, and means nothing."""
    return tuple(
        ",".join(sorted(map(str, cell))) if isinstance(cell, list) else cell for cell in row
    )
