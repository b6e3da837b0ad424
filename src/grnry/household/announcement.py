"""What `grnry up` says when all is ready: one line of JSON to programs, a page to people."""

import msgspec

from grnry.household.outside import DATABASE, LOG


class Announcement(msgspec.Struct, omit_defaults=True):
    """What is said, and how a program reads it."""

    api: str
    data: str
    database: str
    kafka: str
    user: str = ""
    password: str | None = None
    issuer: str = ""
    outside: tuple[str, ...] = ()
    """What was given from outside and is not started here: `database`, `kafka`."""


def for_programs(said: Announcement) -> str:
    return msgspec.json.encode(said).decode()


def for_people(said: Announcement, *, detached: bool = False) -> str:
    login = f"with a token of {said.issuer}" if said.issuer else f"user {said.user}"
    if said.password:
        login += f", password {said.password}   (shown this once: keep it)"
    kafka = "   (from outside, by GRNRY_KAFKA_BOOTSTRAP)" if LOG in said.outside else ""
    database = (
        "   (from outside, by GRNRY_DATABASE_URL)"
        if DATABASE in said.outside
        else "   (credentials: grnry sql --url)"
    )
    ending = (
        "It runs in the background: `grnry status` looks, `grnry stop` stops everything."
        if detached
        else "Ctrl-C stops everything."
    )
    return f"""
Granary is ready.

  API        {said.api}   (page over it: {said.api}/docs)
  Kafka      {said.kafka}{kafka}
  SQL        {said.database}{database}
  Data       {said.data}
  Login      {login}
             On this machine the command line logs in by itself.

Next, in a second terminal:
  ./grnry event-type create calls --correlation-id 'payload.user' --event-id 'payload.id'
  ./grnry persister start calls
  ./grnry send calls '{{"user": "u1", "id": "1", "text": "hello"}}'
  ./grnry sql "select correlation_id, message from global.eventstore_calls"

{ending}"""
