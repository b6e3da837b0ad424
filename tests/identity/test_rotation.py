"""A key is rotated under several API processes; and nothing secret is in any log meanwhile."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.elsewhere import CommandLine
from tests.conftest import free_port, wait_for
from tests.event_types.calling import TOKEN
from tests.running import COMMAND, Granary

CERTS = "/auth/realms/grnry/protocol/openid-connect/certs"
PASSWORD = "admins-password-4711"
WRONG = "wrong-password-4711"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granary]:
    """A Granary that logs as much as it can."""
    data = tmp_path_factory.mktemp("rotation") / "data"
    granary = Granary(data, GRNRY_LOG_LEVEL="DEBUG", GRNRY_ADMIN_PASSWORD=PASSWORD).start()
    yield granary
    granary.stop()


@pytest.fixture(scope="module")
def second(own: Granary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another API on the same database, as a second container would be."""
    secrets = json.loads((own.data / "secrets.json").read_text())
    host = own.said["database"].removeprefix("postgresql://")
    port = free_port()
    settings = {
        "GRNRY_DATABASE_URL": f"postgresql://grnry:{secrets['platform_password']}@{host}",
        "GRNRY_KAFKA_BOOTSTRAP": own.said["kafka"],
        "GRNRY_SECRETS_FOLDER": str(own.data / "secrets"),
        "GRNRY_PUBLIC_URL": own.said["api"],
        "GRNRY_LOG_LEVEL": "DEBUG",
    }
    with (own.data / "logs" / "second.log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "api", "--port", str(port)], env={**os.environ, **settings}, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: answers(process, url), 60, "the second API answers")
    yield url
    process.terminate()
    process.wait(30)


def answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    assert process.poll() is None
    try:
        return httpx2.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


class Apis:
    """Both API processes, and every secret that went over the wire."""

    def __init__(self, *urls: str) -> None:
        self.clients = [httpx2.Client(base_url=url, timeout=60, trust_env=False) for url in urls]
        self.secrets: list[str] = [PASSWORD, WRONG]

    def log_in(self, client: httpx2.Client) -> dict[str, Any]:
        form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
        return self.ask(client, **form, password=PASSWORD)

    def ask(self, client: httpx2.Client, **form: str) -> dict[str, Any]:
        answer = client.post(TOKEN, data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        for name in ("access_token", "refresh_token"):
            if name in found:
                self.secrets.append(found[name].rpartition(".")[2])
        return found

    def status(self, client: httpx2.Client, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/event-types", headers=headers).status_code

    def publish(self, kids: set[str]) -> bool:
        """Whether each of them has exactly these keys."""
        return all(
            {key["kid"] for key in client.get(CERTS).json()["keys"]} == kids
            for client in self.clients
        )

    def make_read(self, token: str) -> None:
        """An unknown key makes a process read the keys anew, if it has not just done so."""
        head, _, rest = token.partition(".")
        unknown = {**decoded(head), "kid": "unknown"}
        made = base64.urlsafe_b64encode(json.dumps(unknown).encode()).decode().rstrip("=")
        for client in self.clients:
            assert self.status(client, f"{made}.{rest}") == 401


@pytest.fixture(scope="module")
def apis(own: Granary, second: str) -> Iterator[Apis]:
    made = Apis(own.said["api"], second)
    yield made
    for client in made.clients:
        client.close()


def kid_of(token: str) -> str:
    return str(decoded(token.partition(".")[0])["kid"])


def decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_no_token_is_refused_while_a_key_is_rotated(own: Granary, apis: Apis) -> None:
    one, two = apis.clients
    first = apis.log_in(one)
    listed = json.loads(own.do("keys", "rotate") and own.do("keys", "list", "--json"))
    new, old = (key["kid"] for key in listed)
    assert [key["state"] for key in listed] == ["published, signs soon", "signs"]
    assert kid_of(first["access_token"]) == old

    def both_know_the_new_key() -> bool:
        apis.make_read(first["access_token"])
        return apis.publish({old, new})

    wait_for(both_know_the_new_key, 60, "every process has read the new key")
    with own.platform() as connection:  # the minute in which it is published only, passes
        connection.execute(
            "update grnry.signing_keys set created_at = created_at - '61 s'::interval"
        )

    signed_by_new: set[httpx2.Client] = set()
    tokens = [first]

    def both_sign_with_the_new_key() -> bool:
        apis.make_read(first["access_token"])
        for signer, other in ((one, two), (two, one)):
            refreshed = apis.ask(
                signer,
                grant_type="refresh_token",
                client_id="grnry",
                refresh_token=tokens[-1]["refresh_token"],
            )
            tokens.append(refreshed)
            assert apis.status(other, refreshed["access_token"]) == 200
            if kid_of(refreshed["access_token"]) == new:
                signed_by_new.add(signer)
        return len(signed_by_new) == 2

    wait_for(both_sign_with_the_new_key, 60, "the new key signs everywhere")
    assert {kid_of(each["access_token"]) for each in tokens} == {old, new}
    assert apis.status(two, tokens[1]["access_token"]) == 200, "a token of the old key counts still"
    assert apis.publish({old, new})
    assert [key["state"] for key in json.loads(own.do("keys", "list", "--json"))] == [
        "signs",
        "verifies",
    ]


def test_no_password_secret_or_token_is_in_a_log(own: Granary, apis: Apis, tmp_path: Path) -> None:
    """Whatever goes well or wrong, at the level DEBUG."""
    one, _ = apis.clients
    made = json.loads(own.do("client", "create", "quiet", "--role", "global:viewer", "--json"))
    secret = made["clientSecret"]
    apis.secrets.append(secret)
    token = apis.ask(one, grant_type="client_credentials", client_id="quiet", client_secret=secret)[
        "access_token"
    ]
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    assert one.post(TOKEN, data=form | {"password": WRONG}).status_code == 401
    assert one.post(TOKEN, auth=("quiet", WRONG), data={"grant_type": "x"}).status_code == 400
    assert one.post(TOKEN, content=f"password={WRONG}").status_code == 400
    for header in ({"Authorization": f"Bearer {token}x"}, {"Authentication": token + "x"}):
        assert one.get("/event-types", headers=header).status_code == 401
    refreshable = apis.log_in(one)["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "grnry", "refresh_token": refreshable}
    apis.ask(one, **form)
    with own.platform() as connection:
        connection.execute("update grnry.sessions set rotated_at = rotated_at - '11 s'::interval")
    assert one.post(TOKEN, data=form).json()["error"] == "invalid_grant"
    line = CommandLine(tmp_path)
    line.log_in(own.said["api"], "admin", PASSWORD)
    said = line.refused(
        "login", "--url", own.said["api"], "--user", "admin", "--password-stdin", stdin=WRONG
    )
    assert WRONG not in said
    with own.platform() as connection:
        found = connection.execute("select private_pem from grnry.signing_keys").fetchall()
    private = [row["private_pem"].splitlines()[3] for row in found]

    files = [file for file in (own.data / "logs").rglob("*") if file.is_file()]
    text = "".join(file.read_text(errors="replace") for file in files)
    assert "A refresh token of 'admin' came a second time" in text, "the logs are those of the API"
    assert len(apis.secrets) > 8
    kept = json.loads((own.data / "secrets.json").read_text()).values()
    for each in (*apis.secrets, *kept, *private):
        assert each not in text
