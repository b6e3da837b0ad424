"""The contract's samples of live segments' persisters, with a project and without.

In an answer `<path>` is the path of the event type's stores as it was asked for, `<link>` the same
as a link; with `partly`, fields may be there that the sample leaves out.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import wait_for
from tests.event_types.bodies import body
from tests.event_types.calling import Caller
from tests.event_types.test_samples import matches
from tests.projects.people import People

SAMPLES = json.loads((Path(__file__).parent / "live_samples.json").read_text())
NAME = "User-Visit"
STATE = f"/event-types/{NAME}/eventstores/live-segment/persister/state"
STATES = {"STOPPED", "DEPLOYING", "RUNNING", "FAILED"}
ROLES: Mapping[str, Mapping[str, list[str]]] = {
    "editor": {"global": ["editor"]},
    "viewer": {"global": ["viewer"]},
    "stranger": {},
}

Tokens = Mapping[str, dict[str, str]]


@pytest.fixture(scope="module")
def tokens(caller: Caller) -> Tokens:
    people = People(caller)
    found = {who: people.make(roles).token for who, roles in ROLES.items()}
    headers = {who: {"Authentication": f"Bearer {token}"} for who, token in found.items()}
    return {**headers, "anonymous": {}}


@pytest.fixture
def stopped(caller: Caller) -> Iterator[None]:
    caller.post(f"/event-types/{NAME}", body("live_segment", NAME))
    first = {"taskMax": "1", "batchSize": 10, "maxRetries": 3, "retryBackoffMs": 1000}
    caller.put(STATE.removesuffix("/state"), first)
    caller.post(STATE, {"action": "STOP"})
    wait_for(lambda: caller.get(STATE)["status"] == "STOPPED", what="it is stopped")
    yield
    caller.delete(f"/event-types/{NAME}?purge=true")


def check(answer: httpx2.Response, sample: dict[str, Any], base: str, path: str) -> None:
    what = f"{sample['what']}: {answer.text}"
    assert answer.status_code == sample["status"], what
    found = answer.json()
    if sample["status"] >= 400:
        assert isinstance(found.pop("timestamp"), int), what
        assert found.pop("traceId"), what
        if "invalidParams" not in sample["answer"]:
            assert ("invalidParams" in found) == (sample["status"] == 400), what
            found.pop("invalidParams", None)
    text = json.dumps(sample["answer"]).replace("<path>", path)
    wanted = json.loads(
        text.replace("<link>", f"<link>/projects/global{path[path.index('/ev') :]}")
    )
    assert matches(found, wanted, base, partly=sample.get("partly", False)), what


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("project", ["/projects/global", ""])
def test_samples(caller: Caller, tokens: Tokens, project: str) -> None:
    base = caller.granary.said["api"]
    for sample in SAMPLES:
        path = f"{project}/event-types/{sample.get('of', NAME)}/eventstores/live-segment"
        for who in sample["who"]:
            for given in sample.get("bodies", [sample.get("body")]):
                answer = caller.anonymous.request(
                    sample["method"], path + sample["path"], json=given, headers=tokens[who]
                )
                check(answer, sample, base, path)
                if sample["status"] == 200 and "state" in sample["path"]:
                    assert answer.json()["status"] in STATES


def test_every_operation_and_answer_has_a_sample() -> None:
    told = {(each["method"], each["path"], each["status"]) for each in SAMPLES}
    for method, path, known in (
        ("GET", "/persister", (200, 401, 403, 404)),
        ("PUT", "/persister", (200, 400, 401, 403, 404)),
        ("GET", "/persister/state", (200, 401, 403, 404)),
        ("POST", "/persister/state", (200, 400, 401, 403, 404)),
    ):
        assert {(method, path, status) for status in known} <= told
