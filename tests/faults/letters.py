"""Dead letters as a judge sees them."""

from collections.abc import Sequence
from typing import Any

from tests.faults.house import House
from tests.faults.judging import Letter
from tests.faults.load import NUMBER

# Their time is that of the beginning of their batch's transaction.
_LETTERS = """
select partition, record_offset, header_names, header_values, reason, state,
  (extract(epoch from failed_at) * 1000000)::bigint as written
from grnry.dead_letters where deployment = %s
"""


def letters_of(house: House, deployment: str) -> Sequence[Letter]:
    return [_letter(found) for found in house.rows(_LETTERS, [deployment])]


def _letter(found: dict[str, Any]) -> Letter:
    headers = dict(zip(found["header_names"], found["header_values"], strict=True))
    number = headers.get(NUMBER)
    return Letter(
        (found["partition"], found["record_offset"]),
        None if number is None else int(bytes(number)),
        found["reason"],
        found["written"],
        found["state"],
    )
