"""The log as the command line reaches it, and the names of topics and groups that are not there."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grnry.errors import NotFound

if TYPE_CHECKING:
    from grnry.log.cluster import Cluster

Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap",
        "-b",
        help="The brokers, instead of GRNRY_KAFKA_BOOTSTRAP or those of the Granary that runs.",
        metavar="HOST:PORT",
    ),
]


def cluster_of(data: Path | None, bootstrap: str | None) -> "Cluster":
    """The brokers that are named, else those of the environment, else those that run here."""
    import msgspec

    from grnry.cli.client import Place
    from grnry.log.cluster import Cluster
    from grnry.settings import Settings

    settings = Settings.from_environment()
    address = bootstrap or settings.kafka_bootstrap or Place.of(data).running().kafka
    return Cluster.of(msgspec.structs.replace(settings, kafka_bootstrap=address))


def expect(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not there, with those that may be meant."""
    names = sorted(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    near += [one for one in names if name in one and one not in near][:3]
    meant = f" Did you mean {' or '.join(repr(one) for one in near)}?" if near else ""
    raise NotFound(f"There is no {kind} '{name}'.{meant}")
