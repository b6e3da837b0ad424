"""ISO 8601 durations: `P100Y`, `P1Y2M3DT4H5M6S`, `P2W`. Pure."""

import re

_DURATION = re.compile(
    r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII
)
LONGEST = 64


def is_duration(text: str) -> bool:
    return len(text) <= LONGEST and _DURATION.fullmatch(text) is not None
