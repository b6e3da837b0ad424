"""Projects and members by the command line, against a running Granary."""

import json

from tests.running import Granary


def test_a_project_from_its_making_to_its_last_member(granary: Granary) -> None:
    made = json.loads(granary.do("project", "create", "By command", "--description", "a", "--json"))
    name = made["name"]
    assert name == "By-command"
    assert name in granary.do("project", "list")
    assert name in [each["name"] for each in json.loads(granary.do("project", "list", "--json"))]
    granary.do("project", "update", name, "--display-name", "Renamed")
    shown = json.loads(granary.do("project", "show", name, "--json"))
    assert (shown["displayName"], shown["description"]) == ("Renamed", "a")
    assert "dataAccess.secretName         grnry_project_By-command" in granary.do(
        "project", "show", name
    )
    granary.do("user", "create", "bycommand", "--generate")
    added = granary.do("project", "members", "add", name, "bycommand", "--role", "viewer")
    assert added == f"User 'bycommand' has in project '{name}' the roles: viewer.\n"
    granary.do(
        "project", "members", "set", name, "bycommand", "--role", "editor", "--role", "producer"
    )
    listed = granary.do("project", "members", "list", name).splitlines()
    assert [line.split() for line in listed] == [
        ["USERNAME", "NAME", "ROLES"],
        ["admin", "Administrator", "data_owner,", "editor"],
        ["bycommand", "bycommand", "editor,", "producer"],
    ]
    removed = granary.do("project", "members", "remove", name, "bycommand")
    assert removed == f"User 'bycommand' has no roles in project '{name}'.\n"
    refused = granary.grnry("project", "members", "remove", name, "admin")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "nobody else owns project" in refused.stderr


def test_lists_of_more_than_a_page(granary: Granary) -> None:
    with granary.platform() as database:
        database.execute(
            "insert into grnry.users (username, name, password_hash)"
            " select 'crowd' || i, 'One of many', '' from generate_series(1, 251) as i"
        )
        found = json.loads(granary.do("user", "list", "--search", "of many", "--json"))
        assert len({each["username"] for each in found}) == 251
        database.execute("delete from grnry.users where username like 'crowd%'")


def test_the_projects_option_is_that_of_all_commands(granary: Granary) -> None:
    name = json.loads(granary.do("project", "create", "Option", "--json"))["name"]
    option = ("--project", name)
    made = granary.do("event-type", "create", "opted", "--correlation-id", "payload.u", *option)
    assert f"grnry persister start opted --project {name}" in made
    assert "opted" in granary.do("event-type", "list", *option)
    assert granary.grnry("event-type", "show", "opted").returncode == 1
    assert granary.do("send", "opted", '{"u": 1}', *option) == "Sent 1 event.\n"
    assert "STOPPED" in granary.do("persister", "state", "opted", *option)
    who = granary.do("sql", "select current_user", *option)
    assert f"grnry_project_{name}" in who
    granary.do("event-type", "delete", "opted", *option)
