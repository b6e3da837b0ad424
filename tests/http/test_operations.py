"""Health, metrics, and the description of it all."""

import logging

import pytest
from starlette.testclient import TestClient

from grnry.errors import ServiceAway
from grnry.http.app import create_app
from grnry.http.health import Check
from grnry.identity.tokens import TokenVerifier
from grnry.settings import Settings
from tests.identity.signing import EXPECTED, RSA, FixedKeys


def away() -> None:
    raise ServiceAway("The log does not answer.")


def broken() -> None:
    raise RuntimeError("secret detail")


def with_checks(**checks: Check) -> TestClient:
    verifier = TokenVerifier(FixedKeys(RSA), EXPECTED)
    return TestClient(create_app(settings=Settings(), authenticator=verifier, checks=checks))


def test_live(anonymous: TestClient) -> None:
    assert anonymous.get("/health/live").json() == {"status": "live"}


def test_ready(anonymous: TestClient) -> None:
    answer = anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "parts": {"database": "ready"}},
    )


def test_not_ready_says_which_part(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = with_checks(database=lambda: None, log=away, belts=broken).get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {
        "status": "not ready",
        "parts": {
            "database": "ready",
            "log": "The log does not answer.",
            "belts": "The check failed.",
        },
    }
    assert [record.getMessage() for record in caplog.records] == ["The check of belts failed"]


def test_metrics_count_by_template_and_never_by_value(client: TestClient) -> None:
    for number in range(3):
        client.get(f"/things/{number + 1}")
        client.get(f"/nowhere/{number}")
        client.request(f"BREW{number}", "/things")
    client.post("/raw", content=b"1")
    text = client.get("/metrics").text
    assert 'method="GET",route="/things/{number}",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert 'route="/raw",status="200"' in text
    assert 'method="other"' in text
    assert "nowhere" not in text
    assert "BREW" not in text
    assert "grnry_http_request_duration_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text


def test_the_description_names_every_error_once(anonymous: TestClient) -> None:
    schema = anonymous.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    error = schema["components"]["schemas"]["Error"]["properties"]
    assert set(error) == {
        *("timestamp", "type", "message", "details", "traceId"), "invalidParams", "_links"
    }  # fmt: skip
    make = schema["paths"]["/things"]["post"]
    assert make["security"] == [{"token": []}, {"authentication": []}]
    assert list(make["responses"]) == [
        *("200", "400", "401", "403", "408", "413", "414", "415", "431", "500", "503")
    ]
    assert make["responses"]["415"] == {"$ref": "#/components/responses/Error415"}
    assert "security" not in schema["paths"]["/health/live"]["get"]
    assert "404" in schema["paths"]["/things/{number}"]["get"]["responses"]
    ready = schema["paths"]["/health/ready"]["get"]["responses"]["503"]
    assert "Readiness" in str(ready)
    assert "HTTPValidationError" not in str(schema)


def test_every_reference_of_the_description_leads_somewhere(anonymous: TestClient) -> None:
    schema = anonymous.get("/openapi.json").json()
    references: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            references.extend(ref for key, ref in value.items() if key == "$ref")
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(schema)
    assert references
    for reference in references:
        found = schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_parameters_are_described_with_their_limits(anonymous: TestClient) -> None:
    operation = anonymous.get("/openapi.json").json()["paths"]["/things"]["get"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert parameters["pagesize"]["schema"]["maximum"] == 250
    assert parameters["pagesize"]["schema"]["type"] == "integer"
    assert parameters["offset"]["schema"]["minimum"] == 0


def test_the_docs_need_nothing_from_elsewhere(anonymous: TestClient) -> None:
    page = anonymous.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/things/{number}" in page.text
    assert not [word for word in ("<script", "src=", "http://", "https://") if word in page.text]
