"""What the broker counts, as Prometheus text."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from grnry.log.broker.protocol.apis import APIS
from grnry.log.broker.protocol.errors import RequestError
from grnry.log.broker.storage.store import Store, now_ms

from .durability import Durability
from .groups import Groups


@dataclass(slots=True)
class Counters:
    """What is counted as it happens; all else is looked at when it is asked for."""

    requests: Counter[int] = field(default_factory=Counter)  # by API key
    bytes_in: int = 0
    bytes_out: int = 0


class Sample(NamedTuple):
    value: float
    labels: dict[str, str]


def text(
    counters: Counters, store: Store, groups: Groups, durability: Durability, connections: int
) -> str:
    requests = [
        Sample(count, {"api": APIS[key].name}) for key, count in sorted(counters.requests.items())
    ]
    states = Counter(str(group.state) for group in groups.all())
    of_state = [Sample(count, {"state": state}) for state, count in sorted(states.items())]
    families = (
        _family("bytes_in_total", "counter", "Bytes of requests.", counters.bytes_in),
        _family("bytes_out_total", "counter", "Bytes of answers.", counters.bytes_out),
        _samples("requests_total", "counter", "Requests by API.", requests),
        _family("connections", "gauge", "Connections of clients.", connections),
        _family("open_files", "gauge", "Files of the log kept open.", len(store.files)),
        _family("topics", "gauge", "Topics.", len(store.topics)),
        _family("syncs_total", "counter", "Rounds of fsync.", durability.syncs),
        _family("sync_seconds_total", "counter", "Time in fsync.", durability.sync_seconds),
        _samples("groups", "gauge", "Consumer groups with members, by state.", of_state),
        _samples("group_lag", "gauge", "Records a group has not committed.", _lags(store)),
    )
    return "".join(line + "\n" for family in families for line in family)


def _lags(store: Store) -> Iterator[Sample]:
    """Of every partition that a group has committed; one that can't be opened has none."""
    now = now_ms()
    for group in store.group_offsets.groups():
        for (name, number), committed in list(store.group_offsets.of(group).items()):
            try:
                log = store.topics.get(name).log(number, now)
            except RequestError:
                continue
            lag = max(log.stable_offset - max(committed.offset, log.start_offset), 0)
            yield Sample(lag, {"group": group, "topic": name, "partition": str(number)})


def _family(name: str, kind: str, what: str, value: float) -> Iterator[str]:
    return _samples(name, kind, what, [Sample(value, {})])


def _samples(name: str, kind: str, what: str, samples: Iterable[Sample]) -> Iterator[str]:
    name = f"grnry_broker_{name}"
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for value, labels in samples:
        pairs = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
