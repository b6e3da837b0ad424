"""The log: whether it answers, its topics; of a stopped one, every byte of its files."""

from collections.abc import Iterator

import msgspec

from grnry.errors import GranaryError
from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder, Running
from grnry.household.outside import LOG
from grnry.log.cluster import Cluster
from grnry.settings import Settings

SECONDS = 5.0

part = Part("log")


def look(folder: DataFolder, running: Running | None, settings: Settings) -> Iterator[Finding]:
    if running and LOG not in running.outside:
        yield from _at(Cluster(running.kafka), "Look at `grnry logs broker`.")
    elif address := running.kafka if running else settings.kafka_bootstrap:
        todo = "Start it, or correct the settings GRNRY_KAFKA_…."
        cluster = Cluster.of(msgspec.structs.replace(settings, kafka_bootstrap=address))
        yield from _at(cluster, todo)
    elif not (folder.log / "topics").is_dir():
        yield part.ok("files", "none yet; the first `grnry up` makes them")
    else:
        yield from _files(folder)


def _at(cluster: Cluster, todo: str) -> Iterator[Finding]:
    from grnry.log.admin import Admin

    bootstrap = cluster.bootstrap
    try:
        admin = Admin(cluster)
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
