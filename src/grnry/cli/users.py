"""`grnry user …`: the users of the built-in issuer."""

import sys
from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json, print_table

app = typer.Typer(
    no_args_is_help=True, help="Make, disable and delete users of the built-in issuer."
)

PATH = "/identity/users"

Username = Annotated[str, typer.Argument(help="The user's name.", metavar="USER")]
Client = Annotated[str, typer.Argument(help="A project, or another client.", metavar="CLIENT")]
Role = Annotated[str, typer.Argument(help="The role.", metavar="ROLE")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password's one line from stdin.")
]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make a random password, and print it this once.")
]


@app.command()
@command
def create(
    username: Username,
    name: Annotated[str, typer.Option(help="Their full name.")] = "",
    email: Annotated[str, typer.Option(help="Their address.")] = "",
    password_stdin: FromStdin = False,
    generate: Generate = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a user; the password is asked for, read, or made, and never an argument."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    password = _new_password(password_stdin, generate)
    body = {"username": username, "name": name, "email": email, "password": password}
    made = api.post(PATH, body)
    if as_json:
        print_json(made | ({"password": password} if generate else {}))
        return
    print(f"Made user '{made['username']}', who has no roles yet. Give some with:")
    print(f"  grnry project members add PROJECT {made['username']} --role viewer")
    if generate:
        print(f"Password (shown this once): {password}")


@app.command("list")
@command
def list_(
    search: Annotated[str, typer.Option(help="Part of username, name or email.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List users."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).all(PATH, "users", search=search)
    if as_json:
        print_json(found)
    else:
        columns = ("username", "name", "email", "enabled", "createdAt")
        print_table(columns, [[each[column] for column in columns] for each in found])


@app.command()
@command
def show(username: Username, data: Data = None, as_json: AsJson = False) -> None:
    """Show a user and all their roles."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    _print(api.get(_path(api, username)), as_json)


@app.command()
@command
def disable(username: Username, data: Data = None, as_json: AsJson = False) -> None:
    """Give a user no more tokens; those they have end within five minutes."""
    _enable(username, False, data, as_json)


@app.command()
@command
def enable(username: Username, data: Data = None, as_json: AsJson = False) -> None:
    """Let a user log in again."""
    _enable(username, True, data, as_json)


def _enable(username: str, enabled: bool, data: Any, as_json: bool) -> None:
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    _print(api.put(_path(api, username), {"enabled": enabled}), as_json)


@app.command()
@command
def delete(username: Username, data: Data = None) -> None:
    """Delete a user; what they made stays."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    api.delete(_path(api, username))
    print(f"Deleted user '{username}'.")


@app.command()
@command
def set_password(
    username: Username,
    password_stdin: FromStdin = False,
    generate: Generate = False,
    data: Data = None,
) -> None:
    """Set a user's password; whoever is logged in as them has to log in again."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    place = f"{_path(api, username)}/password"
    password = _new_password(password_stdin, generate)
    api.put(place, {"password": password})
    print(f"Set the password of '{username}'.")
    if generate:
        print(f"Password (shown this once): {password}")


@app.command()
@command
def change_password(password_stdin: FromStdin = False, data: Data = None) -> None:
    """Change one's own password; from stdin, the present one is the first line of two."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    if password_stdin:
        current, password = _line(), _line()
    else:
        current = typer.prompt("Present password", hide_input=True, err=True)
        password = _new_password(from_stdin=False, generate=False)
    api.put("/identity/me/password", {"currentPassword": current, "password": password})
    print("Changed your password.")


@app.command()
@command
def grant(username: Username, client: Client, role: Role, data: Data = None) -> None:
    """Give a user a role of a client; a project is a client of its name."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    api.put(_role_path(api, username, client, role), None)
    print(f"User '{username}' has the role '{role}' of '{client}', from their next token on.")


@app.command()
@command
def revoke(username: Username, client: Client, role: Role, data: Data = None) -> None:
    """Take a role of a client from a user."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    api.delete(_role_path(api, username, client, role))
    print(f"User '{username}' has not the role '{role}' of '{client}', from their next token on.")


def _path(api: Any, username: str) -> str:
    return f"{PATH}/{api.user(username, PATH)['id']}"


def _role_path(api: Any, username: str, client: str, role: str) -> str:
    from urllib.parse import quote

    place = "/".join(quote(part, safe="") for part in (client, role))
    return f"{_path(api, username)}/roles/{place}"


def _new_password(from_stdin: bool, generate: bool) -> str:
    from grnry.cli.client import CallFailed

    if generate:
        import secrets

        return secrets.token_urlsafe(12)
    if from_stdin:
        return _line()
    if not sys.stdin.isatty():
        raise CallFailed("Give the password by --password-stdin, or let one be made: --generate.")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))


def _line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _print(account: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(account)
        return
    fields = ("id", "username", "name", "email", "enabled", "createdAt")
    roles = {f"roles.{client}": ", ".join(held) for client, held in account["roles"].items()}
    print_fields({field: account[field] for field in fields} | roles)
