"""The contract's samples, request by request, in the order in which they stand on each other.

In an answer `<time>`, `<text>` and `<link>…` stand for what is accidental, as is the order of a
link's parameters; with `partly`, fields may be there that the sample leaves out.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.event_types.calling import Caller

SAMPLES = json.loads((Path(__file__).parent / "samples.json").read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def told(url: str) -> tuple[str, dict[str, list[str]]]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", parse_qs(parts.query)


def matches(found: Any, wanted: Any, base: str, *, partly: bool = False) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = wanted if partly else {**wanted, **found}
        return all(
            name in found and name in wanted and matches(found[name], wanted[name], base)
            for name in names
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(
            matches(one, other, base) for one, other in zip(found, wanted, strict=True)
        )
    if wanted == "<time>":
        return isinstance(found, str) and TIME.fullmatch(found) is not None
    if wanted == "<text>":
        return isinstance(found, str)
    if isinstance(wanted, str) and wanted.startswith("<link>"):
        return isinstance(found, str) and told(found) == told(base + wanted.removeprefix("<link>"))
    return type(found) is type(wanted) and bool(found == wanted)


def test_samples(caller: Caller) -> None:
    base = caller.granary.said["api"]
    token = {"Authentication": f"Bearer {caller.token()}"}
    for sample in SAMPLES:
        what = f"{sample['what']}: {sample['method']} {sample['path']}"
        headers = token if sample.get("token", True) else {}
        answer = caller.anonymous.request(
            sample["method"], sample["path"], json=sample.get("body"), headers=headers
        )
        assert answer.status_code == sample["status"], f"{what}: {answer.text}"
        if sample["status"] in (204, 304):
            assert answer.content == b"", what
            continue
        found, wanted = answer.json(), sample["answer"]
        if sample["status"] >= 400:
            assert isinstance(found.pop("timestamp"), int), what
            assert found.pop("traceId"), what
            assert ("invalidParams" in found) == (sample["status"] == 400), what
            found.pop("invalidParams", None)
        assert matches(found, wanted, base, partly=sample.get("partly", False)), (
            f"{what}: {json.dumps(found)} is not {json.dumps(wanted)}"
        )


def test_matching_can_fail() -> None:
    base = "http://x"
    assert matches({"a": "http://x/y"}, {"a": "<link>/y"}, base)
    for found, wanted in (
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ({"a": "1"}, {"a": 1}),
        ([1], [1, 1]),
        ("http://x/z", "<link>/y"),
        ("yesterday", "<time>"),
    ):
        assert not matches(found, wanted, base)
    assert matches({"a": 1, "b": 2}, {"a": 1}, base, partly=True)
