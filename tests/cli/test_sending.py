"""What `grnry send` makes of a file: requests, a pace, one answer."""

import io
import json
import time
from pathlib import Path

from grnry.cli.sending import MOST_BYTES, Piece, Sum, paced, pieces
from tests.event_types.calling import Caller


def cut(text: bytes, rate: int | None = None) -> list[Piece]:
    return list(pieces(io.BytesIO(text), rate))


def test_lines_by_the_thousand() -> None:
    text = b"\n".join(b'{"n": %d}' % number for number in range(2500)) + b"\n\n"
    found = cut(b"\n" + text)
    assert [piece.lines for piece in found] == [1000, 1000, 500]
    assert b"".join(piece.body for piece in found) == text[:-1]
    assert {piece.content_type for piece in found} == {"application/x-ndjson"}
    assert [piece.lines for piece in cut(b'{"n": 1}\n{"n": 2}')] == [2]


def test_a_line_is_one_however_deep() -> None:
    deep = b'{"user": "u", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert [piece.lines for piece in cut(deep + b"\n" + deep)] == [2]


def test_no_request_gets_too_large() -> None:
    line = b'{"text": "%b"}\n' % (b"x" * 1_000_000)
    assert [piece.lines for piece in cut(line * 9)] == [4, 4, 1]
    (large,) = cut(b'{"text": "%b"}' % (b"x" * 2 * MOST_BYTES))
    assert large.lines == 1


def test_what_is_not_lines_goes_as_it_is() -> None:
    for text in (b'[{"n": 1},\n{"n": 2}]', b'{\n"n": 1\n}', b"[]", b"no JSON\n{}", b"", b"5\n6"):
        (piece,) = cut(text)
        assert (piece.body, piece.content_type) == (text, "application/json")


def test_a_rate_is_kept_and_comes_evenly() -> None:
    text = b'{"n": 1}\n' * 60
    found = cut(text, rate=200)
    assert [piece.lines for piece in found] == [20, 20, 20]
    began = time.monotonic()
    assert list(paced(iter(found), 200)) == found
    assert time.monotonic() - began >= 0.2
    assert [piece.lines for piece in cut(text, rate=3)] == [1] * 60


def test_answers_are_added_up() -> None:
    found = Sum()
    found.add({"accepted": 9, "rejected": [{"position": 3, "reason": "a"}]})
    found.add({"accepted": 0, "rejected": [{"position": 0, "reason": "b"}], "rejectedNotListed": 4})
    assert found.answer() == {
        "accepted": 9,
        "rejected": [{"position": 3, "reason": "a"}, {"position": 10, "reason": "b"}],
        "rejectedNotListed": 4,
    }
    assert found.complaint() == "6 were not taken:\n  event 3: a\n  event 10: b\n  and 4 more"


def test_a_file_of_many_lines(caller: Caller, tmp_path: Path) -> None:
    name = caller.make()
    file = tmp_path / "events.ndjson"
    lines = [json.dumps({"user": "u", "id": number}) for number in range(2500)]
    lines[1700] = "{}"
    file.write_text("\n".join(lines))
    sent = caller.granary.grnry("send", name, "-f", str(file), "--json")
    assert sent.returncode == 1
    answer = json.loads(sent.stdout)
    assert (answer["accepted"], [one["position"] for one in answer["rejected"]]) == (2499, [1700])
    assert "1 were not taken" in sent.stderr
    few = caller.granary.grnry("send", name, "--rate", "1000", stdin="\n".join(lines[:50]))
    assert few.stdout == "Sent 50 events.\n"
    piped = caller.granary.grnry("send", name, "-f", "-", stdin="\n".join(lines[:2]))
    assert piped.stdout == "Sent 2 events.\n"
    missing = caller.granary.grnry("send", name, "-f", str(tmp_path / "none"))
    assert "cannot be read: No such file or directory." in missing.stderr
    folder = caller.granary.grnry("send", name, "-f", str(tmp_path))
    assert "cannot be read: Is a directory." in folder.stderr
