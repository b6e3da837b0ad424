"""`grnry project …`."""

from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Share streams and data: projects and their members.")
members = typer.Typer(no_args_is_help=True, help="Who has which roles in a project.")
app.add_typer(members, name="members")

ProjectName = Annotated[str, typer.Argument(help="The project's name.", metavar="PROJECT")]
Username = Annotated[str, typer.Argument(help="The user's name.", metavar="USER")]
Role = Annotated[
    list[str],
    typer.Option("--role", help="viewer, editor, producer or data_owner; may be repeated."),
]


def path(name: str) -> str:
    from urllib.parse import quote

    return f"/projects/{quote(name, safe='')}"


@app.command("list")
@command
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the projects in which one has a role."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).all("/projects", "projects")
    if as_json:
        print_json(found)
    else:
        columns = ("name", "displayName", "description", "createdAt")
        print_table(columns, [[each[column] for column in columns] for each in found])


@app.command()
@command
def create(
    display_name: Annotated[str, typer.Argument(help="The technical name is made of it.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a project with its roles, its database schema and its database role."""
    from grnry.cli.client import Api, Place

    body = {"displayName": display_name, "description": description}
    made = Api(Place.of(data)).post("/projects", body)
    if as_json:
        print_json(made)
        return
    access = made["dataAccess"]
    print(f"Made project '{made['name']}': schema {access['schema']}, role {access['secretName']}.")
    print(f"Its first stream is made with: grnry event-type create --project {made['name']} …")


@app.command()
@command
def show(name: ProjectName, data: Data = None, as_json: AsJson = False) -> None:
    """Show a project, and where its data is reached."""
    from grnry.cli.client import Api, Place

    _print(Api(Place.of(data)).get(path(name)), as_json)


@app.command()
@command
def update(
    name: ProjectName,
    display_name: Annotated[str | None, typer.Option(help="What it is to be called.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change what a project is called; its technical name stays."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    found = api.get(path(name))
    given = {"displayName": display_name, "description": description}
    kept = {key: found[key] for key in given}
    changed = {key: value for key, value in given.items() if value is not None}
    _print(api.put(path(name), kept | changed), as_json)


def _print(project: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(project)
        return
    fields = ("name", "displayName", "description", "createdAt", "modifiedAt")
    access = {f"dataAccess.{key}": value for key, value in project["dataAccess"].items()}
    print_fields({field: project[field] for field in fields} | access)


@members.command("list")
@command
def list_members(name: ProjectName, data: Data = None, as_json: AsJson = False) -> None:
    """List a project's members and their roles."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).all(f"{path(name)}/users", "users")
    if as_json:
        print_json(found)
    else:
        rows = [[each["username"], each["name"], ", ".join(each["roles"])] for each in found]
        print_table(("username", "name", "roles"), rows)


@members.command()
@command
def add(
    name: ProjectName,
    username: Username,
    role: Role,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a user a member of a project."""
    _call("post", name, username, role, data, as_json)


@members.command("set")
@command
def set_(
    name: ProjectName,
    username: Username,
    role: Role,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a user these roles in a project, and no others."""
    _call("put", name, username, role, data, as_json)


@members.command()
@command
def remove(
    name: ProjectName, username: Username, data: Data = None, as_json: AsJson = False
) -> None:
    """Take all roles in a project from a user."""
    _call("put", name, username, [], data, as_json)


def _call(
    method: str, project: str, username: str, roles: list[str], data: Any, as_json: bool
) -> None:
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    user = api.user(username)
    call = api.post if method == "post" else api.put
    member = call(f"{path(project)}/users/{user['id']}", {"roles": roles})
    if as_json:
        print_json(member)
    elif member["roles"]:
        has = ", ".join(member["roles"])
        print(f"User '{member['username']}' has in project '{project}' the roles: {has}.")
    else:
        print(f"User '{member['username']}' has no roles in project '{project}'.")
