"""What was done to a Granary and when; printed while it happens, and once more where it failed."""

import sys
import threading
import time
from collections import Counter


class History:
    """Lines with their seconds since the start."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._began = time.monotonic()
        self._is_quiet = is_quiet
        self._lock = threading.Lock()
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()

    def say(self, text: str) -> None:
        with self._lock:
            line = f"{time.monotonic() - self._began:7.1f} s  {text}"
            self.lines.append(line)
            if not self._is_quiet:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def count(self, fault: str) -> None:
        with self._lock:
            self.counts[fault] += 1

    def counted(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
