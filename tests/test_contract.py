"""The machine-readable contract of a running Granary: whole, valid, and true.

`test_what_it_says_is_so` runs for GRNRY_TEST_CONTRACT_SECONDS (default: 100); which checks are
switched off, and why, stands in `schemathesis.toml`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.event_types.calling import Caller
from tests.running import ROOT, Granary

SECONDS = int(os.environ.get("GRNRY_TEST_CONTRACT_SECONDS", "100"))

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def contract(caller: Caller) -> Schema:
    found: Schema = caller.anonymous.get("/openapi.json").json()
    return found


def operations(contract: Schema) -> Iterator[tuple[str, Schema]]:
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def resolved(contract: Schema, value: Schema) -> Schema:
    while "$ref" in value:
        found: Any = contract
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def test_it_is_a_valid_openapi_document(contract: Schema) -> None:
    assert contract["openapi"].startswith("3.1.")
    jsonschema_rs.validator_for(OPENAPI_31).validate(contract)
    for name, schema in contract["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "title": name})


def test_every_operation_says_what_it_is(contract: Schema) -> None:
    ids = [operation["operationId"] for _, operation in operations(contract)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(contract):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", []):
            assert resolved(contract, parameter).get("description"), f"{name} {parameter}"


def test_every_operation_names_its_errors(contract: Schema) -> None:
    for name, operation in operations(contract):
        needed = {"400", "408", "414", "431", "500", "503"}
        if "security" in operation:
            needed |= {"401", "403"}
            assert operation["security"] == [{"token": []}, {"authentication": []}]
        if "{" in name:
            needed.add("404")
        if "requestBody" in operation:
            needed |= {"413", "415"}
        headers = {parameter["name"] for parameter in operation.get("parameters", [])}
        if "if-match" in headers:
            needed.add("412")
        if "if-none-match" in headers:
            needed.add("304")
        assert needed <= set(operation["responses"]), name


def test_what_has_a_tag_can_be_changed_by_it(contract: Schema) -> None:
    def headers(operation: Schema) -> set[str]:
        return {parameter["name"] for parameter in operation.get("parameters", [])}

    tagged = 0
    for path, item in contract["paths"].items():
        if "if-none-match" in headers(item.get("get", {})):
            tagged += 1
            for method in {"put", "delete"} & set(item):
                assert "if-match" in headers(item[method]), f"{method} {path}"
    assert tagged > 5


def test_every_body_has_an_example_that_fits_it(contract: Schema) -> None:
    for name, operation in operations(contract):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [resolved(contract, answer) for answer in operation["responses"].values()]
        for body in bodies:
            for media_type, media in body.get("content", {}).items():
                schema = {**media["schema"], "components": contract["components"]}
                assert "example" in media, f"{name} {media_type}"
                jsonschema_rs.validator_for(schema).validate(media["example"])


def test_only_what_is_open_needs_no_token(contract: Schema) -> None:
    opened = {name for name, operation in operations(contract) if "security" not in operation}
    realm = "/auth/realms/{realm}"
    assert opened == {
        "GET /health/live",
        "GET /health/ready",
        "GET /docs",
        f"POST {realm}/protocol/openid-connect/token",
        f"POST {realm}/protocol/openid-connect/revoke",
        f"POST {realm}/protocol/openid-connect/logout",
        f"GET {realm}/protocol/openid-connect/certs",
        f"GET {realm}/.well-known/openid-configuration",
    }


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Caller]:
    """Another Granary, as there will be strange things in it."""
    granary = Granary(tmp_path / "data").start()
    caller = Caller(granary)
    yield caller
    caller.close()
    granary.stop()


@pytest.mark.timeout(SECONDS + 300)
def test_what_it_says_is_so(alone: Caller, tmp_path: Path) -> None:
    """Calls that a machine makes up from the contract: never a 500, nothing it does not say."""
    granary = alone.granary
    (admin,) = alone.get("/users?search=admin")["users"]
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(ROOT / "tests" / "schemathesis.toml"), "run"),
        f"{granary.said['api']}/openapi.json",
        *("--max-time", str(SECONDS), "--continue-on-failure", "--request-timeout", "60"),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        *("--report", "json", "--report-json-path", str(tmp_path / "report.json")),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.contract_hooks",
        "PYTHONPATH": str(ROOT),
        "GRNRY_TEST_LOGIN": json.dumps([granary.said["user"], granary.password]),
        "GRNRY_TEST_KEPT_USER": admin["id"],
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
