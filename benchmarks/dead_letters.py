"""How long pages of many dead letters take over HTTP, against a page of event types.

Its letters come behind as many of another deployment. They failed for ten reasons, or each for one
of its own. Measured is when the keeper has put together what was counted.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.running import Granary

FILL = """
insert into grnry.dead_letters (deployment, topic, partition, record_offset, key, payload, reason,
  sqlstate, state, copied_at)
select 'grnry-p-pg-' || %(name)s, 'grnry_data_in_' || %(name)s, n %% 4, n / 4, 'u1',
  convert_to(repeat('x', 300), 'utf8'), '#/age: "' || n %% %(reasons)s || '" is no number', '22P02',
  case when n %% 20 = 0 then 'replayed' else 'failed' end, now()
from generate_series(0, %(letters)s - 1) as n
"""


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=100)
    options = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="grnry-bench-"))
    granary = Granary(folder / "data").start()
    try:
        caller = Caller(granary)
        fill(caller, granary, options.letters)
        show(caller, options.letters, options.calls)
    finally:
        granary.stop()
        shutil.rmtree(folder)


def fill(caller: Caller, granary: Granary, letters: int) -> None:
    words = {"correlationIdExpression": "payload.user", "eventIdExpression": "payload.id"}
    with granary.platform() as connection:
        for name, reasons in (("few", 10), ("many", letters)):
            caller.post(f"/event-types/{name}", {"displayName": name, **words})
            values = {"name": name, "reasons": reasons, "letters": letters}
            connection.execute(FILL.encode(), values)
        fresh = b"select from grnry.dead_letter_counts where is_fresh limit 1"
        wait_for(lambda: not connection.execute(fresh).fetchone(), 120)
        connection.execute("vacuum analyze grnry.dead_letters, grnry.dead_letter_counts")


def show(caller: Caller, letters: int, calls: int) -> None:
    print(f"{letters:,} dead letters of a deployment, {calls} calls each; ms: p50, p99")
    said("event types", caller, "/event-types", calls)
    said("deployments", caller, "/dead-letters", calls)
    for name in ("few", "many"):
        path, open_ = f"/dead-letters/grnry-p-pg-{name}", letters - letters // 20
        reason = quote(caller.get(path)["reasons"][0]["reason"])
        said(f"{name} reasons: first page", caller, path, calls)
        said(f"{name} reasons: middle", caller, f"{path}?offset={open_ // 2}", calls)
        said(f"{name} reasons: last page", caller, f"{path}?offset={open_ - 20}", calls)
        said(f"{name} reasons: one reason", caller, f"{path}?reason={reason}", calls)


def said(what: str, caller: Caller, path: str, calls: int) -> None:
    taken = sorted(seconds(lambda: caller.get(path)) for _ in range(calls))
    middle, last = taken[len(taken) // 2], taken[int(len(taken) * 0.99) - 1]
    print(f"{what:28} {middle * 1000:8.1f} {last * 1000:8.1f}", flush=True)


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
