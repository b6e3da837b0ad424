"""`grnry token`."""

from grnry.cli.options import Data, command


@command
def token(data: Data = None) -> None:
    """Print a token of five minutes, for curl and scripts."""
    from grnry.cli.client import Api, Place

    print(Api(Place.of(data)).token())
