"""What a running API tells of itself, to Prometheus and in its logs."""

import re

from tests.event_types.calling import Caller

LABELS = re.compile(r"(\w+)\{(.*?)\} ")


def metrics(caller: Caller) -> dict[str, float]:
    answer = caller.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_process_the_pool_and_the_requests_are_measured(caller: Caller) -> None:
    before = metrics(caller)
    caller.get("/projects/global/event-types")
    after = metrics(caller)
    route = 'method="GET",route="/projects/{project_name}/event-types"'
    counted = f'grnry_http_requests_total{{{route},status="200"}}'
    assert after[counted] == before.get(counted, 0) + 1
    assert after[f"grnry_http_request_duration_seconds_count{{{route}}}"] >= 1
    assert after["grnry_http_requests_in_flight"] == 1
    assert after["grnry_http_connections"] >= 1
    assert after["process_cpu_seconds_total"] > 0
    assert after["process_resident_memory_bytes"] > 1_000_000
    assert 0 < after["process_open_fds"] < after["process_max_fds"]
    assert after["grnry_database_connections_limit"] >= 1
    assert after["grnry_database_transactions_total"] > before["grnry_database_transactions_total"]
    assert after["grnry_database_connections_in_use"] == 0
    for name in ("connects_total", "failures_total", "connection_wait_seconds_total"):
        assert f"grnry_database_{name}" in after


def test_no_caller_can_make_more_labels(caller: Caller) -> None:
    routes = {
        re.sub(r"{\w+}", "{}", path)
        for path in caller.anonymous.get("/openapi.json").json()["paths"]
    }
    for number in range(20):
        caller.http.get(f"/nowhere-{number}")
        caller.http.get(f"/event-types/not-there-{number}")
        caller.http.request(f"METHOD{number}", "/event-types")
        caller.anonymous.get(f"/event-types/anonymous-{number}")
    for key in metrics(caller):
        if match := LABELS.match(key + " "):
            labels = dict(re.findall(r'(\w+)="(.*?)"', match[2]))
            if route := labels.get("route"):
                known = re.sub(r"{\w+}", "{}", route)
                assert known in routes | {"unmatched", "/openapi.json"}, route
            assert labels.get("method", "GET") in {
                *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
            }


def test_metrics_need_a_token(caller: Caller) -> None:
    assert caller.anonymous.get("/metrics").status_code == 401


def test_no_token_and_no_password_is_in_any_log(caller: Caller) -> None:
    token = caller.http.headers["Authorization"].split()[1]
    caller.anonymous.get("/event-types", params={"access_token": token})
    caller.anonymous.get("/event-types", headers={"Authentication": token + "x"})
    caller.anonymous.post(
        "/auth/realms/grnry/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "grnry", "username": "admin",
              "password": caller.granary.password + "x"},
    )  # fmt: skip
    secrets = (caller.granary.data / "secrets.json").read_text()
    words = {word for word in re.findall(r'"([^"]{12,})"', secrets) if "_" not in word}
    logs = [file for file in (caller.granary.data / "logs").rglob("*") if file.is_file()]
    assert logs
    for file in logs:
        text = file.read_text(errors="replace")
        for secret in {token, token.split(".")[2], caller.granary.password, *words}:
            assert secret not in text, file
