"""Which roles open which events."""

from grnry.events.reading.access import Grants, grants_of
from grnry.identity.model import Identity


def grants(**roles: set[str]) -> Grants:
    named = {client.replace("_", "-"): frozenset(given) for client, given in roles.items()}
    return grants_of(Identity("1", "u", roles=named))


def test_who_reads_a_project_reads_all_its_types() -> None:
    found = grants(north={"viewer"}, south={"editor", "x"}, east={"producer"}, west={"data_owner"})
    assert found == Grants(("north", "south"), frozenset())


def test_a_role_of_the_event_api_names_type_and_harvester() -> None:
    found = grants(event_api={"calls_na_read", "a-1_my_harvester_read", "calls_na_write"})
    assert found.streams == {("calls", "na"), ("a-1", "my_harvester")}


def test_what_is_no_such_role_opens_nothing() -> None:
    odd = {"_na_read", "calls__read", "calls_read", "_read", "read", "calls_na_READ", ""}
    assert grants(event_api=odd, calls={"calls_na_read"}).streams == frozenset()
    assert grants_of(Identity("1", "u")) == Grants((), frozenset())
