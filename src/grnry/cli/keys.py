"""`grnry keys …`: the keys that the built-in issuer signs tokens with."""

import typer

from grnry.cli.operator import platform_database
from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="The built-in issuer's signing keys.")


@app.command()
@command
def rotate(data: Data = None) -> None:
    """Make a new signing key; it takes over by itself, and no token is refused."""
    from grnry.identity.keys import PUBLISHED_SECONDS, SigningKeys

    with platform_database(data) as database:
        kid = SigningKeys(database).rotate()
    print(f"Made key {kid}. It signs in {PUBLISHED_SECONDS} s, when every process knows it.")


@app.command("list")
@command
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the keys, the youngest first, and what each is for now."""
    from grnry.identity.keys import SigningKeys

    with platform_database(data) as database:
        found = SigningKeys(database).list()
    rows = [(key.kid, key.state, f"{key.created:%Y-%m-%dT%H:%M:%SZ}") for key in found]
    columns = ("kid", "state", "createdAt")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
