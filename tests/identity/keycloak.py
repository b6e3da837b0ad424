"""A real Keycloak from the Maven repository, set up through its admin API."""

import os
import shutil
import signal
import subprocess
import threading
import time
import zipfile
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import free_port, wait_for

VERSION = "26.4.0"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
GET = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
ADMIN = {"KC_BOOTSTRAP_ADMIN_USERNAME": "root", "KC_BOOTSTRAP_ADMIN_PASSWORD": "root-password"}
# It starts in half a minute on a machine that has nothing else to do.
START_SECONDS = 400


def distribution() -> Path:
    """The zip, from Maven's own folder, to which it is brought where it is missing."""
    if missing := [tool for tool in ("java", "mvn") if shutil.which(tool) is None]:
        if os.environ.get("CI"):
            pytest.fail(f"{missing} are needed for a real Keycloak")
        pytest.skip(f"{missing} are needed for a real Keycloak")
    repository = Path.home() / ".m2" / "repository"
    folder = repository / "org/keycloak/keycloak-quarkus-dist" / VERSION
    file = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not file.exists():
        words = ["mvn", "-q", "-B", f"-Dmaven.repo.local={repository}", GET]
        subprocess.run([*words, f"-Dartifact={ARTIFACT}", "-Dtransitive=false"], check=True)
    return file


class Keycloak:
    """`kc.sh start-dev` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with zipfile.ZipFile(distribution()) as archive:
            archive.extractall(folder)
        self.home = folder / f"keycloak-{VERSION}"
        (self.home / "bin/kc.sh").chmod(0o755)
        self.port = free_port()
        self.path = ""
        self.log = folder / "keycloak.log"
        self.http = httpx2.Client(timeout=60, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = ""
        self._admin_until = float("-inf")

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self, path: str = "") -> "Keycloak":
        self.path = path
        self._admin_until = float("-inf")
        options = [f"--http-port={self.port}", "--http-host=127.0.0.1", "--cache=local"]
        heap = {
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.home / "bin/kc.sh",
                    "start-dev",
                    *options,
                    f"--http-relative-path={path or '/'}",
                ],
                env={**os.environ, **ADMIN, **heap},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, START_SECONDS, "Keycloak answers")
        return self

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.http.get(f"{self.base}/realms/master").status_code == 200
        except httpx2.TransportError:
            return False

    def close(self) -> None:
        self.stop()
        self.http.close()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(60)

    # Its admin API ----------------------------------------------------------------------------

    def _admin_token(self) -> str:
        """Its own tokens live a minute, and each takes it a comparison of passwords."""
        if time.monotonic() > self._admin_until:
            self._admin_until = time.monotonic() + 30
            self._admin = self._ask_admin_token()
        return self._admin

    def _ask_admin_token(self) -> str:
        form = {"grant_type": "password", "client_id": "admin-cli"}
        form |= {"username": "root", "password": "root-password"}
        return str(self.ask_token(f"{self.base}/realms/master", **form)["access_token"])

    def ask_token(self, realm: str, **form: str) -> dict[str, Any]:
        answer = self.http.post(f"{realm}/protocol/openid-connect/token", data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the admin API; answers the body, or the new thing's id."""
        answer = self.http.request(
            method,
            f"{self.base}/admin/realms{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._admin_token()}"},
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code == 201 and "location" in answer.headers:
            return answer.headers["location"].rpartition("/")[2]
        return answer.json() if answer.content else None

    def add_key(self, realm: str, provider: str, priority: int, **config: str) -> str:
        """A key provider of a realm; the one of the highest priority signs."""
        parent = self.admin("GET", f"/{realm}")["id"]
        given = {"priority": str(priority), "enabled": "true", "active": "true", **config}
        component = {
            "name": f"{provider}-{priority}",
            "providerId": provider,
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": parent,
            "config": {name: [value] for name, value in given.items()},
        }
        return str(self.admin("POST", f"/{realm}/components", component))


class CountingProxy:
    """Stands before Keycloak and writes down who asks for what."""

    def __init__(self, keycloak: Keycloak) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                proxy.asked.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                upstream = HTTPConnection("127.0.0.1", keycloak.port, timeout=60)
                try:
                    upstream.request(self.command, self.path, body, dict(self.headers))
                    answer = upstream.getresponse()
                    content = answer.read()
                except OSError:
                    self.close_connection = True  # as if nobody listened here either
                    return
                finally:
                    upstream.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = forward  # noqa: N815 - the names that the base class calls

            def log_message(self, *_: object) -> None:
                pass

        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def count(self, end: str) -> int:
        return sum(path.endswith(end) for path in self.asked)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
