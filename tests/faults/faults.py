"""What is done to a Granary at work, by name. Each says what it has done."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from grnry.household.folder import start_of
from tests.faults.link import AFTER, BEFORE, Link
from tests.faults.stage import NotNowError, Stage

PAST_SESSION = "freeze worker past its session"
POISON_BATCH = 3000

DATABASE, LOG, WORKER, TABLE, DISK = "database link", "log link", "worker", "table", "disk"
ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class Fault:
    """Done by `do`; `holds` is what no other fault may hold meanwhile, `alone` that none lasts."""

    name: str
    do: Callable[[Stage], str]
    holds: str = ""
    alone: bool = False
    needs_disk: bool = False
    needs_log_link: bool = False


# Processes ----------------------------------------------------------------------------------------


def _workers(stage: Stage) -> list[int]:
    """Those that are not frozen: that lasts, and partitions have to move meanwhile."""
    held = stage.house.workers(stage.case.deployment)
    found = [pid for pid in held if _is_awake(pid)]
    if not found:
        raise NotNowError("no worker that is awake holds a partition")
    return found


def _is_awake(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T"
    return False


def kill_workers(stage: Stage) -> str:
    killed = _workers(stage)
    if stage.chance.random() < 0.5:
        killed = [stage.chance.choice(killed)]
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return f"{killed}"


def _freeze(stage: Stage, pid: int, name: str, holds: str, seconds: float) -> str:
    start = start_of(pid)
    os.kill(pid, signal.SIGSTOP)

    def thaw() -> None:
        if start_of(pid) == start:
            os.kill(pid, signal.SIGCONT)

    return f"{pid} " + stage.lasting(name, holds, seconds, thaw)


def freeze_worker(stage: Stage) -> str:
    pid, seconds = stage.chance.choice(_workers(stage)), stage.some_seconds(10)
    return _freeze(stage, pid, "freeze worker", WORKER, seconds)


def freeze_past_session(stage: Stage) -> str:
    pid, seconds = stage.chance.choice(_workers(stage)), stage.chance.uniform(33, 36)
    return _freeze(stage, pid, PAST_SESSION, WORKER, seconds)


def _kill(name: str) -> Callable[[Stage], str]:
    def do(stage: Stage) -> str:
        pid = stage.house.pid(name)
        if not pid:
            raise NotNowError(f"{name} does not run")
        stage.house.kill(name)
        return f"{pid}"

    return do


def kill_broker(stage: Stage) -> str:
    log = stage.house.log
    if log is None:
        return _kill("broker")(stage)
    pid = log.pid
    log.kill()
    seconds = stage.some_seconds(5)
    stage.pause(seconds)
    log.start()
    return f"{pid}, started again after {seconds:.1f} s"


def freeze_broker(stage: Stage) -> str:
    log = stage.house.log
    pid = log.pid if log else stage.house.pid("broker")
    return _freeze(stage, pid, "freeze broker", LOG, stage.some_seconds(20))


def kill_supervisor(stage: Stage) -> str:
    pid = stage.house.granary.process.pid
    stage.house.kill_supervisor()
    seconds = stage.some_seconds(3)
    stage.pause(seconds)
    stage.house.start()
    return f"{pid}, started again after {seconds:.1f} s"


# Connections --------------------------------------------------------------------------------------


def _link(stage: Stage, what: str) -> Link:
    if what == DATABASE:
        return stage.house.database_link
    assert stage.house.log is not None
    return stage.house.log.link


def cut(what: str) -> Callable[[Stage], str]:
    return lambda stage: f"{_link(stage, what).cut()} connections"


def refuse(what: str) -> Callable[[Stage], str]:
    def do(stage: Stage) -> str:
        link = _link(stage, what)
        link.refuse(yes=True)
        seconds = stage.some_seconds(12)
        said = stage.lasting(f"refuse {what}", what, seconds, lambda: link.refuse(yes=False))
        return f"{link.cut()} connections and who comes {said}"

    return do


def stall(what: str) -> Callable[[Stage], str]:
    def do(stage: Stage) -> str:
        link = _link(stage, what)
        link.stall(yes=True)
        seconds = stage.some_seconds(20)
        return stage.lasting(f"stall {what}", what, seconds, lambda: link.stall(yes=False))

    return do


def slow(what: str) -> Callable[[Stage], str]:
    def do(stage: Stage) -> str:
        link = _link(stage, what)
        rate = stage.chance.choice([5_000, 50_000, 200_000])
        link.slow(rate)
        seconds = stage.some_seconds(20)
        said = stage.lasting(f"slow {what}", what, seconds, lambda: link.slow(0))
        return f"{rate} bytes/s {said}"

    return do


def trap_commit(where: str) -> Callable[[Stage], str]:
    def do(stage: Stage) -> str:
        link = stage.house.database_link
        link.trap_commit(where)
        stage.pause(10, link.caught.is_set)
        is_caught = link.caught.is_set()
        link.trap_commit("")
        if not is_caught:
            raise NotNowError("nothing was committed")
        return "caught one"

    return do


# The database -------------------------------------------------------------------------------------


def lock_table(stage: Stage) -> str:
    connection = stage.house.connect(autocommit=False)
    connection.execute(b"set lock_timeout = 5000")
    connection.execute(f"lock table {stage.case.table} in access exclusive mode".encode())
    seconds = stage.chance.choice([stage.some_seconds(60), stage.longest])

    def unlock() -> None:
        with contextlib.suppress(psycopg.Error):
            connection.rollback()
        connection.close()

    return stage.lasting("lock table", TABLE, seconds, unlock)


def fill_disk(stage: Stage) -> str:
    disk = stage.house.disk
    assert disk is not None
    megabytes = disk.fill()
    seconds = stage.some_seconds(20)
    return f"at {megabytes} MB " + stage.lasting("disk full", DISK, seconds, disk.free)


# What users do ------------------------------------------------------------------------------------


def change_replicas(stage: Stage) -> str:
    replicas = stage.chance.choice([1, 2, 3, 4])
    stage.case.restart(stage.house, replicas)
    return f"{replicas}"


def send_poison(stage: Stage) -> str:
    stage.case.spoil(POISON_BATCH)
    stage.load.burst(POISON_BATCH)
    return f"{POISON_BATCH} records"


FAULTS = (
    Fault("kill -9 workers", kill_workers),
    Fault("freeze worker", freeze_worker, holds=WORKER),
    Fault(PAST_SESSION, freeze_past_session, holds=WORKER),
    Fault("kill -9 broker", kill_broker),
    Fault("freeze broker", freeze_broker, holds=LOG),
    Fault("kill -9 postgres", _kill("postgres")),
    Fault("kill -9 reconciler", _kill("reconciler")),
    Fault("kill -9 api", _kill("api")),
    Fault("kill -9 supervisor", kill_supervisor, alone=True),
    Fault("cut database link", cut(DATABASE)),
    Fault("refuse database link", refuse(DATABASE), holds=DATABASE),
    Fault("stall database link", stall(DATABASE), holds=DATABASE),
    Fault("slow database link", slow(DATABASE), holds=DATABASE),
    Fault("drop answer of COMMIT", trap_commit(AFTER), holds=DATABASE),
    Fault("drop COMMIT", trap_commit(BEFORE), holds=DATABASE),
    Fault("cut log link", cut(LOG), needs_log_link=True),
    Fault("refuse log link", refuse(LOG), holds=LOG, needs_log_link=True),
    Fault("stall log link", stall(LOG), holds=LOG, needs_log_link=True),
    Fault("slow log link", slow(LOG), holds=LOG, needs_log_link=True),
    Fault("lock table", lock_table, holds=TABLE),
    Fault("disk full", fill_disk, holds=DISK, needs_disk=True),
    Fault("change replicas", change_replicas),
    Fault("batch of poison", send_poison, holds=ERRORS),
)


def faults_for(stage: Stage) -> list[Fault]:
    """Those that this house can be done."""
    house = stage.house
    return [
        fault
        for fault in FAULTS
        if (house.log is not None or not fault.needs_log_link)
        and (house.disk is not None or not fault.needs_disk)
    ]
