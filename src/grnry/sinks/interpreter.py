"""The interpreter, set for a process whose threads read, make and write batches."""

import gc
import sys


def set_for_batches() -> None:
    # A batch is some ten thousand short-lived objects without cycles: looking for cycles among
    # them at the usual pace costs a third of the reader's time.
    gc.set_threshold(200_000, 20, 100)
    # Who writes needs the interpreter again for every piece that the server has taken; at the
    # usual interval it waits for it longer than the server takes for the piece.
    sys.setswitchinterval(0.0003)
