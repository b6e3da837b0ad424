"""What a process takes of this machine's memory, as the kernel counts it."""

import ctypes
import gc
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""As `malloc.h` numbers them."""

ARENAS = 2
"""As most allocations are made by who has the interpreter, and some by the client's threads."""

KEPT = 4 * 2**20
"""As much as a batch may take: what is less is used for the next one as it is."""


def resident_bytes(pid: int) -> int:
    """All of its pages that are in memory, shared ones too: never less than what it takes itself.

    Cheap enough to ask for every second. Nothing where it is gone.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def own_bytes(pid: int) -> int:
    """Its pages, those that it shares with others in proportion. The kernel walks through them."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb") as lines:
            for line in lines:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def data_bytes() -> int:
    """What this process has reserved to write to, used or not."""
    return int(Path("/proc/self/statm").read_bytes().split()[5]) * PAGE


def keep_little() -> None:
    """Have the C library return large blocks at once, and the ends of its arenas soon.

    By itself it takes the largest block that was ever freed for the measure of what it keeps at
    the end of each thread's arena, and has one for every thread: what is in use stands scattered.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, KEPT)
        set_option(_TRIM_THRESHOLD, KEPT)
        set_option(_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return to the machine what this process has freed: Python and the C library keep it else."""
    gc.collect()  # empties the lists of objects that wait to be used again
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not every C library has it
    if trim is not None:
        trim(0)
