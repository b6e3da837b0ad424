"""The log: whether it answers, its topics; of a stopped one, every byte of its files."""

from collections.abc import Iterator

from grnry.errors import GranaryError
from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder, Running
from grnry.household.outside import LOG, Outside

SECONDS = 5.0

part = Part("log")


def look(folder: DataFolder, running: Running | None, outside: Outside) -> Iterator[Finding]:
    if running:
        todo = "Start that broker." if LOG in running.outside else "Look at `grnry logs broker`."
        yield from _at(running.kafka, todo)
    elif outside.kafka_bootstrap:
        yield from _at(outside.kafka_bootstrap, "Start it, or correct GRNRY_KAFKA_BOOTSTRAP.")
    elif not (folder.log / "topics").is_dir():
        yield part.ok("files", "none yet; the first `grnry up` makes them")
    else:
        yield from _files(folder)


def _at(bootstrap: str, todo: str) -> Iterator[Finding]:
    from grnry.log.admin import Admin

    try:
        admin = Admin(bootstrap)
        brokers, topics = admin.brokers(SECONDS), admin.topics()
    except GranaryError as error:
        yield part.problem("broker", f"{bootstrap} does not answer: {error.message}", todo)
        return
    yield part.ok("broker", f"{brokers} at {bootstrap} {'answers' if brokers == 1 else 'answer'}")
    yield part.ok("topics", f"{len(topics)}, with {sum(topics.values())} partitions")


def _files(folder: DataFolder) -> Iterator[Finding]:
    from grnry.log import broker

    try:
        report = broker.check(folder.log)
    except broker.BrokerError as error:
        yield part.problem("files", str(error), "End the process that uses them, or look at them.")
        return
    said = f"{report.topics} topics, {report.records} records, {report.bytes} bytes"
    if report.is_sound:
        yield part.ok("files", f"{said}, all sound")
        return
    todo = f"`grnry broker check --data '{folder.log}'` says what, and what to do."
    yield part.problem("files", f"{said}, and damage", todo)
