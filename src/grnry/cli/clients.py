"""`grnry client …`: programs that log in to the built-in issuer for themselves."""

from collections.abc import Collection, Mapping
from typing import Annotated

import typer

from grnry.cli.operator import platform_database
from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Service accounts of the built-in issuer.")

Name = Annotated[str, typer.Argument(help="The client's id.", metavar="NAME")]


@app.command()
@command
def create(
    name: Name,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Such as global:producer; may be given again.", metavar="CLIENT:ROLE"),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a client with a secret, which is shown this once."""
    from grnry.identity.clients import Clients

    with platform_database(data) as database:
        secret = Clients(database).create(name, role or [])
    _show(name, secret, as_json)


@app.command("rotate-secret")
@command
def rotate_secret(name: Name, data: Data = None, as_json: AsJson = False) -> None:
    """Give a client another secret; the old one is void at once."""
    from grnry.identity.clients import Clients

    with platform_database(data) as database:
        secret = Clients(database).rotate_secret(name)
    _show(name, secret, as_json)


@app.command()
@command
def delete(name: Name, data: Data = None) -> None:
    """Delete a client. Tokens that it has live for up to five minutes more."""
    from grnry.identity.clients import Clients

    with platform_database(data) as database:
        Clients(database).delete(name)
    print(f"Deleted client '{name}'.")


@app.command("list")
@command
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the clients, what each is for, and its roles."""
    from grnry.identity.clients import Clients

    with platform_database(data) as database:
        found = Clients(database).list()
    if as_json:
        roles = [{client: sorted(given) for client, given in each.roles.items()} for each in found]
        print_json(
            [
                {"clientId": each.client_id, "kind": each.kind, "roles": given}
                for each, given in zip(found, roles, strict=True)
            ]
        )
        return
    print_table(
        ("client", "kind", "roles"),
        [(each.client_id, each.kind, _written(each.roles)) for each in found],
    )


def _written(roles: Mapping[str, Collection[str]]) -> str:
    pairs = ((client, role) for client in roles for role in sorted(roles[client]))
    return " ".join(f"{client}:{role}" for client, role in pairs)


def _show(name: str, secret: str, as_json: bool) -> None:
    if as_json:
        print_json({"clientId": name, "clientSecret": secret})
    else:
        print(f"GRNRY_CLIENT_ID={name}\nGRNRY_CLIENT_SECRET={secret}")
