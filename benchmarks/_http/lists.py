"""Many event types and many users, and the lists of them."""

FILL_EVENT_TYPES = """
with made as (
  insert into grnry.event_types
    (name, project, type, display_name, replication, partition_count, retention_ms, topic_name,
     phase, created_by, modified_by)
  select 'filled-' || number, 'global', 'data_in',
    'Filled number ' || number || ' ' || md5(number::text),
    1, 1, 1000, 'none', 'ready', '{"name": "a", "email": "b"}', '{"name": "a", "email": "b"}'
  from generate_series(1, %s) as number
  returning name
)
insert into grnry.event_type_versions (name, version, eventstore_ttl, correlation_id_expression,
  event_id_expression, timestamp_expression)
select name, 1, 'P100Y', 'payload.a', 'payload.b', '#nowMillis()' from made
"""
FILL_PERSISTERS = """
insert into grnry.persisters (event_type, kind, app_config, deployer_config)
select name, 'pg', '{}', '{}' from grnry.event_types where name like 'filled-%'
"""
FILL_DEPLOYMENTS = """
insert into grnry.deployments (name, command)
select 'grnry-p-pg-' || name, '{persister}' from grnry.event_types where name like 'filled-%'
"""
EMPTY = (
    "delete from grnry.deployments where name like 'grnry-p-pg-filled-%'",
    "delete from grnry.event_types where name like 'filled-%'",
)


FILL_USERS = """
insert into grnry.users (username, name, email, password_hash)
select 'filled-' || number || '.' || substr(md5(number::text), 1, 6),
  initcap(substr(md5((number * 7)::text), 1, 8)) || ' Meier',
  substr(md5((number * 3)::text), 1, 9) || '@example.com', ''
from generate_series(1, %s) as number
"""
FILL_MEMBERS = """
insert into grnry.user_roles (user_id, client, role)
select id, 'global', role from grnry.users, (values ('viewer'), ('producer')) as roles (role)
where username like 'filled-%'
"""


EVERYTHING = "inputs,outputs,persisters,totalCount"


def event_type_lists(rows: int) -> list[tuple[str, str]]:
    queries = (
        ("first page", ""),
        ("second page of 250", "pagesize=250&offset=250"),
        ("250 with all that can be told", f"pagesize=250&expand={EVERYTHING}"),
        ("deepest page", f"offset={deepest(rows)}"),
        ("count", "expand=totalCount"),
        ("search that finds much", "search=filled"),
        ("search that finds little", "search=d3d944"),
        ("search that finds nothing", "search=qqq"),
        ("search with a count", "search=c4ca&expand=totalCount"),
        ("search that finds all, with a count", "search=number&expand=totalCount"),
    )
    return [
        (what + ending, f"{prefix}/event-types?{query}")
        for what, query in queries
        for prefix, ending in (("/projects/global", ""), ("", " of all projects"))
    ]


def user_lists(rows: int) -> list[tuple[str, str]]:
    queries = (
        ("first page", "/users"),
        ("deepest page", f"/users?offset={deepest(rows)}"),
        ("search that finds little", "/users?search=d3d944"),
        ("search that finds nothing", "/users?search=qqq"),
        ("search that finds all", "/users?search=meier"),
        ("members, first page", "/projects/global/users"),
        ("members, deepest page", f"/projects/global/users?offset={deepest(rows)}"),
    )
    return list(queries)


def deepest(rows: int) -> int:
    return (rows // 20 - 1) * 20
