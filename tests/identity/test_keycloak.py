"""Tokens of a real Keycloak, set up as docs/how-to/keycloak.md says, through the running API."""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey

from grnry.identity.oidc import AT_ONCE, REREAD_SECONDS
from tests.cli.elsewhere import CommandLine
from tests.conftest import wait_for
from tests.event_types.calling import draft
from tests.identity.keycloak import CountingProxy, Keycloak
from tests.identity.signing import sign
from tests.running import ROOT, Granary

pytestmark = pytest.mark.timeout(600)

HOW_TO = ROOT / "docs/how-to/keycloak.md"
ADAS_PASSWORD = "adas-password-4711"
IMPORTERS_SECRET = "importers-secret-4711"
OURS = RSAKey.generate_key(2048, private=True)
CERTS = "/protocol/openid-connect/certs"


def follow_the_how_to(keycloak: Keycloak) -> None:
    """All shell commands of the page, in one shell, as a reader would."""
    blocks = re.findall(r"^```sh\n(.*?)^```", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    environment = {
        "KEYCLOAK": keycloak.base,
        "KEYCLOAK_ADMIN": "root",
        "KEYCLOAK_ADMIN_PASSWORD": "root-password",
        "ADAS_PASSWORD": ADAS_PASSWORD,
        "IMPORTERS_SECRET": IMPORTERS_SECRET,
    }
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input="".join(blocks),
        cwd=HOW_TO.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Setting:
    """A Granary whose issuer is a realm of a Keycloak, with something between that counts."""

    keycloak: Keycloak
    proxy: CountingProxy
    granary: Granary
    home: Path
    given: list[str] = field(default_factory=list)
    """The signatures of all tokens that were given."""

    @property
    def realm(self) -> str:
        return f"{self.proxy.base}{self.keycloak.path}/realms/granary"

    def ada(self, realm: str = "") -> str:
        form = {"grant_type": "password", "client_id": "grnry"}
        form |= {"username": "ada", "password": ADAS_PASSWORD}
        return self._ask(realm or self.realm, form)

    def importer(self) -> str:
        form = {"client_id": "importer", "client_secret": IMPORTERS_SECRET}
        form["grant_type"] = "client_credentials"
        return self._ask(self.realm, form)

    def _ask(self, realm: str, form: dict[str, str]) -> str:
        token = str(self.keycloak.ask_token(realm, **form)["access_token"])
        self.given.append(token.rpartition(".")[2])
        return token

    def call(self, token: str, path: str, method: str = "GET", body: Any = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = self.granary.said["api"] + path
        return self.keycloak.http.request(method, url, headers=headers, json=body)

    def status(self, token: str, path: str = "/projects/global/event-types") -> int:
        return self.call(token, path).status_code


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("keycloak")
    keycloak = Keycloak(folder).start()
    proxy = CountingProxy(keycloak)
    try:
        follow_the_how_to(keycloak)
        issuer = f"{proxy.base}/realms/granary"
        granary = Granary(
            folder / "data",
            GRNRY_OIDC_ISSUER=issuer,
            GRNRY_OIDC_AUDIENCE="someone, global",
            GRNRY_LOG_LEVEL="DEBUG",
        ).start()
        yield Setting(keycloak, proxy, granary, folder)
        granary.stop()
    finally:
        proxy.stop()
        keycloak.close()


def test_roles_of_a_users_token_decide(setting: Setting) -> None:
    token = setting.ada()
    assert setting.status(token) == 200
    made = setting.call(token, "/projects/global/event-types/calls", "POST", draft("calls"))
    assert made.status_code == 200, made.text
    assert made.json()["createdBy"] == {"name": "Ada Lovelace", "email": "ada@example.org"}
    assert setting.status(token, "/projects/unknown/event-types") == 403
    assert setting.call(token, "/projects/shop/event-types/x", "DELETE").status_code == 403


def test_roles_of_a_service_accounts_token_decide(setting: Setting) -> None:
    token = setting.importer()
    events = "/projects/global/event-types/calls/events"
    sent = setting.call(token, events, "POST", [{"user": "u1", "id": "1"}])
    assert (sent.status_code, sent.json()["accepted"]) == (202, 1)
    assert setting.status(token) == 403, "it may send, and look at nothing"


def test_who_has_no_token_is_told_where_to_get_one(setting: Setting) -> None:
    answer = setting.call("", "/projects/global/event-types")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer issuer="{setting.realm}"'


def test_the_built_in_issuer_logs_nobody_in(setting: Setting) -> None:
    base = setting.granary.said["api"] + "/auth/realms/grnry"
    told = f"Tokens come from {setting.realm} here. Log in there."
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin", "password": "x"}
    token = setting.keycloak.http.post(f"{base}/protocol/openid-connect/token", data=form)
    assert (token.status_code, token.json()["error_description"]) == (400, told)
    for path in ("/.well-known/openid-configuration", CERTS):
        answer = setting.keycloak.http.get(base + path)
        assert (answer.status_code, answer.json()["error_description"]) == (404, told)


def test_the_command_line_of_this_machine_needs_no_login_still(setting: Setting) -> None:
    assert "calls" in setting.granary.do("event-type", "list")
    assert setting.granary.said["issuer"] == setting.realm
    assert "password" not in setting.granary.said


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


def test_what_is_wrong_with_a_token_is_seen(setting: Setting) -> None:
    """The realm is given a key that we have too, so that we can sign what Keycloak would not."""
    component = setting.keycloak.add_key(
        "granary", "rsa", 50, privateKey=OURS.as_pem(private=True).decode()
    )
    before = {key["kid"] for key in published(setting)} - {header_of(setting.ada())["kid"]}
    good = claims_of(setting.ada())
    modulus = OURS.as_dict(private=False)["n"]
    (kid,) = [key["kid"] for key in published(setting) if key.get("n") == modulus]
    assert kid in before
    now = int(time.time())

    def status(**others: Any) -> int:
        return setting.status(sign(good | others, OURS, kid=kid))

    wait_for(
        lambda: status() == 200, 30, "the key is known: what follows is refused for its claims"
    )
    assert status(exp=now - 31) == 401
    assert status(exp=now - 20) == 200, "clocks may differ by half a minute"
    assert status(nbf=now + 40) == 401
    assert status(iss=setting.realm.replace("granary", "master")) == 401
    assert status(aud="elsewhere", azp="grnry") == 401
    assert status(aud="elsewhere", azp="global") == 200
    assert status(typ="Refresh") == status(typ="ID") == 401

    unsigned = f"{encoded({'alg': 'none', 'kid': kid})}.{encoded(good)}."
    assert setting.status(unsigned) == 401
    for secret in (OURS.as_pem(private=False), OURS.as_der(private=False)):
        head = f"{encoded({'alg': 'HS256', 'kid': kid})}.{encoded(good)}"
        forged = f"{head}.{encoded(hmac.digest(secret, head.encode(), hashlib.sha256))}"
        assert setting.status(forged) == 401
    setting.keycloak.admin("DELETE", f"/granary/components/{component}")


def published(setting: Setting) -> list[dict[str, Any]]:
    answer = setting.keycloak.http.get(f"{setting.keycloak.base}/realms/granary{CERTS}")
    found: list[dict[str, Any]] = answer.json()["keys"]
    return found


def header_of(token: str) -> dict[str, str]:
    head = token.partition(".")[0]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return found


def certs_asked(setting: Setting) -> int:
    return setting.proxy.count(CERTS)


def test_made_up_keys_cause_no_storm(setting: Setting) -> None:
    """Each token names another key."""
    good, asked, began = claims_of(setting.ada()), certs_asked(setting), time.monotonic()
    for number in range(200):
        assert setting.status(sign(good, OURS, kid=f"made up {number}")) == 401
    looks = (time.monotonic() - began) / REREAD_SECONDS + AT_ONCE
    assert certs_asked(setting) - asked <= looks
    assert setting.status(setting.ada()) == 200


@pytest.mark.parametrize(
    ("algorithm", "provider", "config"),
    [
        ("RS256", "rsa-generated", {"algorithm": "RS256"}),
        ("PS256", "rsa-generated", {"algorithm": "PS256"}),
        ("ES256", "ecdsa-generated", {"ecdsaEllipticCurveKey": "P-256"}),
        ("EdDSA", "eddsa-generated", {"eddsaEllipticCurveKey": "Ed25519"}),
    ],
)
def test_a_key_is_rotated_while_tokens_are_used(
    setting: Setting, algorithm: str, provider: str, config: dict[str, str]
) -> None:
    old, old_and_not_seen_before = setting.ada(), setting.ada()
    assert setting.status(old) == 200
    setting.keycloak.add_key("granary", provider, 200, **config)
    setting.keycloak.admin("PUT", "/granary", {"defaultSignatureAlgorithm": algorithm})
    new = setting.ada()
    assert header_of(new)["alg"] == algorithm
    assert header_of(new)["kid"] != header_of(old)["kid"]
    # At once, unless the flood of made-up keys of the test before has left no look for it.
    wait_for(lambda: setting.status(new) == 200, REREAD_SECONDS * 3, "the new key is known")
    assert setting.status(old_and_not_seen_before) == 200, "its key is published still"


def test_tokens_of_another_realm_are_refused(setting: Setting) -> None:
    """The same Keycloak, a user and clients of the same names, other keys and another issuer."""
    realm = json.loads((HOW_TO.parent / "keycloak-realm.json").read_text())
    user = {
        "username": "ada",
        "enabled": True,
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": "ada@example.org",
        "credentials": [{"type": "password", "value": ADAS_PASSWORD}],
        "clientRoles": {"global": ["editor"]},
    }
    setting.keycloak.admin("POST", "", {**realm, "realm": "other", "users": [user]})
    token = setting.ada(setting.realm.replace("/granary", "/other"))
    claims = claims_of(token)
    assert claims["iss"].endswith("/realms/other")
    assert claims["resource_access"]["global"] == {"roles": ["editor"]}
    assert setting.status(token) == 401


def test_a_token_that_is_for_somebody_else_is_refused(setting: Setting) -> None:
    """Keycloak names in `aud` the clients whose roles a token carries."""
    admin = setting.keycloak.admin
    user = {"username": "bob", "enabled": True, "firstName": "B", "lastName": "B", "email": "b@b.b"}
    user["credentials"] = [{"type": "password", "value": ADAS_PASSWORD}]
    bob = admin("POST", "/granary/users", user)
    form = {"grant_type": "password", "client_id": "grnry"}
    form |= {"username": "bob", "password": ADAS_PASSWORD}
    before = setting.keycloak.ask_token(setting.realm, **form)["access_token"]
    assert setting.status(str(before)) == 401
    (client,) = admin("GET", "/granary/clients?clientId=global")
    role = admin("GET", f"/granary/clients/{client['id']}/roles/viewer")
    admin("POST", f"/granary/users/{bob}/role-mappings/clients/{client['id']}", [role])
    after = setting.keycloak.ask_token(setting.realm, **form)["access_token"]
    assert setting.status(str(after)) == 200


def test_the_command_line_logs_in_with_keycloak(setting: Setting) -> None:
    line, url = CommandLine(setting.home), setting.granary.said["api"]
    words = ("login", "--url", url, "--user", "ada", "--password-stdin")
    said = line.refused(*words, stdin="wrong")
    assert "does not log 'ada' in: Invalid user credentials" in said
    assert line.log_in(url, "ada", ADAS_PASSWORD) == f"Logged in at {url} as 'ada'.\n"
    assert line.file.stat().st_mode & 0o777 == 0o600
    who = json.loads(line.do("whoami", "--json"))
    assert (who["url"], who["user"], who["issuer"]) == (url, "ada", setting.realm)
    assert who["roles"]["shop"] == ["viewer"]
    assert "calls" in line.do("event-type", "list")

    before = line.change(access_token="x.y.z", access_until=0)
    assert "calls" in line.do("event-type", "list"), "the token ran out and was renewed"
    assert line.change()["refresh_token"] != before["refresh_token"]

    kept = line.change()
    line.do("logout")
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    form["refresh_token"] = kept["refresh_token"]
    over = setting.keycloak.http.post(kept["token_endpoint"], data=form)
    assert over.status_code == 400, "Keycloak was told as well"
    assert "grnry login" in line.refused("event-type", "list")


def test_a_service_account_uses_the_command_line(setting: Setting) -> None:
    env = {"GRNRY_URL": setting.granary.said["api"], "GRNRY_CLIENT_ID": "importer"}
    sent = CommandLine(setting.home).do(
        "send",
        "calls",
        '{"user": "u2", "id": "2"}',
        **env,
        GRNRY_CLIENT_SECRET=IMPORTERS_SECRET,
    )
    assert sent == "Sent 1 event.\n"


def test_keycloak_is_stopped_and_started_again(setting: Setting) -> None:
    seen, not_seen_before = setting.ada(), setting.ada()
    assert setting.status(seen) == 200
    unknown = sign(claims_of(seen), OURS, kid="signed by a key that is newer than the last look")
    setting.keycloak.stop()

    assert setting.status(seen) == setting.status(not_seen_before) == 200, "its keys are known"
    wait_for(lambda: setting.status(unknown) == 503, REREAD_SECONDS * 3, "the look fails")
    refused = setting.call(unknown, "/projects/global/event-types")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "service_unavailable"

    setting.granary.kill("api")
    assert setting.status(seen) == 503, "a new process starts without the issuer, and has no keys"
    assert setting.status("abc") == 401, "what is no token needs no issuer to be refused"
    assert "calls" in setting.granary.do("event-type", "list")

    setting.keycloak.start()
    wait_for(lambda: setting.status(setting.ada()) == 200, 30, "the issuer is found again")


def test_keycloak_may_have_its_paths_below_auth(setting: Setting) -> None:
    setting.keycloak.stop()
    setting.keycloak.start("/auth")
    setting.granary.stop()
    setting.granary.environment["GRNRY_OIDC_ISSUER"] = setting.realm
    setting.granary.start()
    assert "/auth/realms/granary" in setting.realm
    assert setting.status(setting.ada()) == 200


def test_no_token_and_no_password_is_in_a_log(setting: Setting) -> None:
    """The log level was DEBUG all the time."""
    files = [file for file in (setting.granary.data / "logs").rglob("*") if file.is_file()]
    text = "".join(file.read_text(errors="replace") for file in files)
    assert "The keys of" in text, "what it says of its issuer is there"
    assert len(setting.given) > 20
    for secret in (ADAS_PASSWORD, IMPORTERS_SECRET, *setting.given):
        assert secret not in text
