"""A data folder that no broker runs on: its lock is shared while someone looks."""

import fcntl
from pathlib import Path

from grnry.log.broker.errors import InspectionError
from grnry.log.broker.storage.files import OpenFile


def lock(data: Path) -> OpenFile | None:
    """Keeps brokers out as long as the file is held; None where no broker ever was."""
    if not (data / "topics").is_dir():
        raise InspectionError(f"{data} is not the data folder of a broker: it has no topics in it.")
    try:
        held = OpenFile(str(data / "lock"), read_only=True)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InspectionError(
            f"A broker runs on {data}, whose files change all the time. Stop it first."
        ) from error
    return held


def segments(partition: Path) -> list[Path]:
    """A partition's files, in the order of their offsets."""
    return sorted(path for path in partition.glob("*.log") if path.stem.isdigit())
