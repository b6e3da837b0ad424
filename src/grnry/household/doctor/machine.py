"""The machine: memory, disk, open files, and whom PostgreSQL can run as."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from grnry.database import unprivileged
from grnry.database.embedded import programs
from grnry.errors import StartError
from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder

MB = 2**20
LEAST_MEMORY_MB = 300
MEMORY_MB = 1000
LEAST_FILES, FILES = 1024, 4096

part = Part("machine")


def look(folder: DataFolder, minimum_free_mb: int, *, embedded: bool) -> Iterator[Finding]:
    yield memory(_available_mb())
    yield disk(shutil.disk_usage(_existing(folder.path)).free // MB, minimum_free_mb)
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    if embedded:
        yield _server_programs()
        yield _user(folder)


def memory(available_mb: int) -> Finding:
    said = f"{available_mb} MB are available"
    todo = "Granary takes 250 MB without workers: end other programs or add memory."
    if available_mb < LEAST_MEMORY_MB:
        return part.problem("memory", said, todo)
    return (
        part.warning("memory", said, todo) if available_mb < MEMORY_MB else part.ok("memory", said)
    )


def disk(free_mb: int, minimum_mb: int) -> Finding:
    said = f"{free_mb} MB are free where the data folder lies"
    if free_mb < minimum_mb:
        todo = f"`grnry up` needs {minimum_mb} MB (GRNRY_MIN_FREE_MB): make room, or move the data."
        return part.problem("disk", said, todo)
    if free_mb < 4 * minimum_mb:
        return part.warning("disk", said, "Make room: the log and the database grow with events.")
    return part.ok("disk", said)


def open_files(most: int) -> Finding:
    if most == resource.RLIM_INFINITY:
        return part.ok("open files", "there is no limit")
    said = f"a process may have {most} open"
    todo = "Raise the hard limit (ulimit -Hn, or LimitNOFILE of a service): each client takes one."
    if most < LEAST_FILES:
        return part.problem("open files", said, todo)
    return part.warning("open files", said, todo) if most < FILES else part.ok("open files", said)


def _server_programs() -> Finding:
    try:
        return part.ok("PostgreSQL's programs", str(programs()))
    except StartError as error:
        return part.problem("PostgreSQL's programs", error.message, "Set the checkout up anew.")


def _user(folder: DataFolder) -> Finding:
    """PostgreSQL refuses to run as root."""
    what = "user"
    if os.geteuid() != 0:
        return part.ok(what, f"number {os.geteuid()}, not root")
    if unprivileged.can_enter_namespace():
        return part.ok(what, "root; PostgreSQL runs in a user namespace")
    for place in (_existing(folder.path), programs()):
        if not unprivileged.can_nobody_enter(place):
            return part.problem(
                what,
                f"root, user namespaces are not allowed, and 'nobody' cannot enter {place}",
                "Run Granary as a user who is not root, or keep checkout and data folder where "
                "every user may enter.",
            )
    return part.ok(what, "root; PostgreSQL runs as 'nobody'")


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) // 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MB


def _existing(path: Path) -> Path:
    """The folder, or the one that it would be made in."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
