"""`grnry login` and what follows from it, against a running Granary and its built-in issuer."""

import json
import os
import pty
import select
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.cli import oauth
from grnry.cli.client import clean_url
from grnry.cli.failures import CallFailed
from grnry.cli.login import claims_of
from tests.cli.elsewhere import CommandLine
from tests.cli.tls import TlsProxy, self_signed
from tests.conftest import free_port
from tests.running import COMMAND, Granary


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def url(granary: Granary) -> str:
    return str(granary.said["api"])


@pytest.fixture
def logged_in(line: CommandLine, url: str, granary: Granary) -> CommandLine:
    line.log_in(url, "admin", granary.password)
    return line


def test_every_command_works_with_a_login(logged_in: CommandLine, url: str) -> None:
    logged_in.do("event-type", "create", "far", "--correlation-id", "payload.user")
    assert logged_in.do("send", "far", '{"user": "u1"}') == "Sent 1 event.\n"
    assert "far" in logged_in.do("event-type", "list")
    who = json.loads(logged_in.do("whoami", "--json"))
    assert (who["url"], who["user"]) == (url, "admin")
    assert "editor" in who["roles"]["global"]
    assert len(logged_in.do("token").split(".")) == 3
    logged_in.do("event-type", "delete", "far")


def test_logins_are_readable_by_their_owner_only(
    line: CommandLine, url: str, granary: Granary
) -> None:
    umask = os.umask(0)
    try:
        line.log_in(url, "admin", granary.password)
    finally:
        os.umask(umask)
    assert {file.stat().st_mode & 0o777 for file in line.file.parent.iterdir()} == {0o600}
    assert line.file.parent.stat().st_mode & 0o777 == 0o700
    assert granary.password not in line.file.read_text()


def test_a_password_is_asked_at_the_terminal_and_not_shown(
    line: CommandLine, url: str, granary: Granary
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "login", "--url", url],
        cwd=line.folder,
        env=line.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = ""
    for question, answer in (("User", "admin"), ("Password of admin at", granary.password)):
        seen += read_until(ours, question)
        os.write(ours, f"{answer}\n".encode())
    seen += read_until(ours, "Logged in at")
    assert process.wait(30) == 0
    os.close(ours)
    assert granary.password not in seen


def read_until(terminal: int, text: str) -> str:
    seen, deadline = "", time.monotonic() + 30
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"{text!r} is not in {seen!r}"
        seen += os.read(terminal, 1000).decode()
    return seen


def test_a_token_that_ran_out_is_renewed_once_by_many_commands(logged_in: CommandLine) -> None:
    before = logged_in.change(access_token="x.y.z", access_until=0)
    with ThreadPoolExecutor(5) as threads:
        tokens = set(threads.map(lambda _: logged_in.do("token"), range(5)))
    assert len(tokens) == 1
    assert logged_in.change()["refresh_token"] != before["refresh_token"]


def test_a_login_that_is_over_says_how_to_begin_another(logged_in: CommandLine, url: str) -> None:
    logged_in.change(access_until=0, refresh_token="x.y.z")
    said = logged_in.refused("event-type", "list")
    assert f"Log in again: grnry login --url {url} --user admin" in said
    logged_in.change(access_until=time.time() + 100, access_token="x.y.z")
    assert "Log in again" in logged_in.refused("event-type", "list")


def test_who_logs_out_is_logged_out_at_the_issuer_too(logged_in: CommandLine, url: str) -> None:
    kept = logged_in.change()
    assert logged_in.do("logout") == f"Logged out 'admin' at {url}.\n"
    assert "There is no login" in logged_in.refused("logout")
    with oauth.http_client() as client, pytest.raises(oauth.Refused, match="Session not active"):
        oauth.ask_token(
            client,
            kept["token_endpoint"],
            {
                "grant_type": "refresh_token",
                "client_id": "grnry",
                "refresh_token": kept["refresh_token"],
            },
        )
    assert "log in to one elsewhere" in logged_in.refused("event-type", "list")


def test_a_data_folder_here_goes_before_a_login(logged_in: CommandLine, url: str) -> None:
    (logged_in.folder / ".grnry").mkdir()
    assert "No Granary runs on the data folder" in logged_in.refused("event-type", "list")
    logged_in.do("event-type", "list", GRNRY_URL=url)
    said = logged_in.refused("event-type", "list", "--data", "x", GRNRY_URL=url)
    assert "No Granary runs" in said


def test_what_needs_the_machine_says_so(logged_in: CommandLine, url: str) -> None:
    for words in (["sql", "select 1"], ["keys", "list"], ["client", "list"], ["status"]):
        said = logged_in.refused(*words)
        assert "on the machine of `grnry up`" in said
        assert url in said


def test_a_program_uses_a_token_or_a_secret_of_its_own(
    line: CommandLine, url: str, granary: Granary
) -> None:
    granary.do("client", "create", "reader", "--role", "global:viewer")
    secret = json.loads(granary.do("client", "rotate-secret", "reader", "--json"))["clientSecret"]
    env = {"GRNRY_URL": url, "GRNRY_CLIENT_ID": "reader", "GRNRY_CLIENT_SECRET": secret}
    who = json.loads(line.do("whoami", "--json", **env))
    assert (who["user"], who["roles"]) == ("service-account-reader", {"global": ["viewer"]})
    token = line.do("token", **env).strip()
    line.do("event-type", "list", GRNRY_URL=url, GRNRY_TOKEN=token)
    said = line.refused("send", "nope", "{}", GRNRY_URL=url, GRNRY_TOKEN=token)
    assert "missing roles" in said
    assert not line.file.exists()

    said = line.refused("event-type", "list", GRNRY_URL=url, GRNRY_TOKEN=token + "x")
    assert "does not take the token of GRNRY_TOKEN" in said
    said = line.refused("event-type", "list", **{**env, "GRNRY_CLIENT_SECRET": "wrong-secret"})
    assert "does not take GRNRY_CLIENT_ID 'reader'" in said
    assert "wrong-secret" not in said
    assert "GRNRY_CLIENT_SECRET" in line.refused(
        "event-type", "list", GRNRY_URL=url, GRNRY_CLIENT_ID="reader"
    )
    assert "There is no login" in line.refused("event-type", "list", GRNRY_URL=url)
    granary.do("client", "delete", "reader")


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["--url", "{url}", "--user", "admin", "--password-stdin"], "wrong", "Invalid user cred"),
        (["--url", "{url}", "--user", "admin", "--password-stdin"], "", "no password on stdin"),
        (["--url", "{url}", "--user", "admin"], "", "Use --password-stdin"),
        (["--url", "{url}", "--password-stdin"], "x", "Say who logs in"),
        (["--url", "{nothing}", "--user", "a", "--password-stdin"], "x", "Nothing answers at"),
        (["--url", "{https}", "--user", "a", "--password-stdin"], "x", "does not speak TLS"),
        (["--url", "host:8080", "--user", "a"], "x", "is no address of an API"),
        (["--url", "http://a:b@host", "--user", "a"], "x", "Leave user and password out"),
        (["--url", "{url}/health", "--user", "a"], "x", "There is no Granary at"),
        (["--url", "{url}", "--issuer", "{url}", "--user", "a"], "x", "is no issuer of tokens"),
        (
            ["--url", "{url}", "--user", "a", "--client-id", "nope", "--password-stdin"],
            "x", "Invalid client",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_login_is_said(
    line: CommandLine, url: str, words: list[str], stdin: str, said: str
) -> None:
    places = {"url": url, "nothing": f"http://127.0.0.1:{free_port()}"}
    places["https"] = url.replace("http:", "https:")
    assert said in line.refused("login", *(word.format(**places) for word in words), stdin=stdin)
    assert not line.file.exists()


def test_a_damaged_file_of_logins_says_what_to_do(logged_in: CommandLine) -> None:
    logged_in.file.write_text("{")
    assert "Remove it, and log in again" in logged_in.refused("event-type", "list")
    logged_in.file.unlink()
    logged_in.file.mkdir()
    assert "cannot be read" in logged_in.refused("event-type", "list")


def test_a_folder_that_cannot_be_made_is_told(
    url: str, line: CommandLine, granary: Granary
) -> None:
    line.config.write_text("a file")
    words = ("login", "--url", url, "--user", "admin", "--password-stdin")
    assert "Logins cannot be kept in" in line.refused(*words, stdin=granary.password)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path, url: str) -> Iterator[str]:
    """The same API behind TLS, with a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    with TlsProxy(context, int(url.rpartition(":")[2])) as proxy:
        yield f"https://127.0.0.1:{proxy.port}"


def test_a_certificate_that_is_not_trusted_is_told_and_may_be_trusted(
    line: CommandLine, tls: str, certificate: Path, granary: Granary
) -> None:
    words = ("login", "--url", tls, "--user", "admin", "--password-stdin")
    said = line.refused(*words, stdin=granary.password)
    assert f"The certificate of {tls} is not trusted: self-signed certificate" in said
    assert "SSL_CERT_FILE" in said
    trusted = {"SSL_CERT_FILE": str(certificate / "certificate.pem")}
    line.do(*words, stdin=granary.password, **trusted)
    line.do("event-type", "list", **trusted)


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("http://Host:8080/", "http://host:8080"),
        (" https://host/granary/ ", "https://host/granary"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_is_kept_in_one_form(given_url: str, kept: str) -> None:
    assert clean_url(given_url) == kept


@given(st.text())
def test_any_address_is_cleaned_or_refused(text: str) -> None:
    try:
        url = clean_url(text)
    except CallFailed:
        return
    assert clean_url(url) == url


@given(st.text())
def test_any_challenge_is_read(text: str) -> None:
    assert '"' not in oauth.issuer_of_challenge(text)


@given(st.from_regex(r"https://[a-z/.]{1,30}", fullmatch=True))
def test_the_issuer_of_a_challenge_is_found(issuer: str) -> None:
    for challenge in (f'Bearer issuer="{issuer}"', f'bearer realm="x", issuer="{issuer}", a="b"'):
        assert oauth.issuer_of_challenge(challenge) == issuer
    assert oauth.issuer_of_challenge(f'Basic issuer="{issuer}"') == ""


@given(st.text())
def test_what_is_no_token_is_told(text: str) -> None:
    with pytest.raises(CallFailed, match="no JSON Web Token"):
        claims_of(text)
