"""The whole examination, part by part."""

from collections.abc import Iterator

from grnry.household.doctor import data, database, log, machine, ports, running
from grnry.household.doctor.finding import Finding
from grnry.household.folder import DataFolder
from grnry.household.outside import DATABASE, Outside
from grnry.settings import Settings


def examine(folder: DataFolder, settings: Settings, api_port: int) -> Iterator[Finding]:
    """Findings as they come; looking at the files of a large stopped log takes its time."""
    outside = Outside.of(settings)
    runs = folder.running()
    embedded = DATABASE not in (runs.outside if runs else outside.names)
    yield from machine.look(folder, settings.min_free_mb, embedded=embedded)
    yield from data.look(folder)
    yield from running.look(folder, runs)
    yield from database.look(folder, runs, outside)
    yield from log.look(folder, runs, settings)
    yield from ports.look(folder, runs, outside, api_port)
