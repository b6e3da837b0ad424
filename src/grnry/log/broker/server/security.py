"""Who may connect from where: passwords from a file, TLS from another, and what is refused.

The file of users has a line `name:password` for each; it is read again when it has changed. Only
its owner may read it.
"""

import hmac
import ipaddress
import ssl
import stat
from pathlib import Path

from grnry.log.broker.errors import BrokerStartError
from grnry.log.broker.settings import BrokerSettings, Security

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WORLD = stat.S_IRWXO


class Users:
    """Names and passwords, as the file says them now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._passwords: dict[str, bytes] = {}
        self.read()

    def read(self) -> None:
        """Read the file where it has changed; raises BrokerStartError where it can't be used."""
        try:
            found = self._path.stat()
            if found.st_mode & _OTHERS:
                raise BrokerStartError(
                    f"Others than its owner may read {self._path}, which has passwords in it. "
                    f"Say: chmod 600 {self._path}"
                )
            if self._seen != (seen := (found.st_mtime_ns, found.st_size)):
                self._passwords = _parsed(self._path, self._path.read_text())
                self._seen = seen
        except OSError as error:
            raise BrokerStartError(
                f"The file of users {self._path} can't be read: {error.strerror}."
            ) from error
        except UnicodeDecodeError as error:
            raise BrokerStartError(f"The file of users {self._path} is not UTF-8.") from error

    def knows(self, name: str, password: str) -> bool:
        """Whether it is the user's password; takes as long for a name that is not there."""
        expected = self._passwords.get(name, b"")
        is_equal = hmac.compare_digest(expected, password.encode())
        return is_equal and name in self._passwords


def _parsed(path: Path, text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not colon or not name.strip() or not password:
            raise BrokerStartError(f"{path}, line {number}: a user is written as name:password.")
        if name in found:
            raise BrokerStartError(f"{path}, line {number}: the user '{name}' is there twice.")
        found[name] = password.encode()
    if not found:
        raise BrokerStartError(f"{path} names no user. Write a line name:password for each.")
    return found


def tls_of(security: Security) -> ssl.SSLContext | None:
    """What the listener encrypts with, or nothing where no certificate is given."""
    certificate, key = security.certificate, security.key
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        private = key or certificate
        if private.stat().st_mode & _WORLD:
            raise BrokerStartError(
                f"Everybody may read the private key in {private}. Say: chmod 600 {private}"
            )
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise BrokerStartError(
            f"{certificate} and {private} are no certificate with its private key, in PEM: "
            f"{error.reason or error}."
        ) from error
    except OSError as error:
        raise BrokerStartError(
            f"The certificate {certificate} or its key can't be read: {error.strerror}."
        ) from error
    return context


def check_exposure(settings: BrokerSettings) -> None:
    """Refuse to listen for other machines without passwords and encryption, unless told to."""
    security = settings.security
    if security.insecure or is_loopback(settings.host):
        return
    missing = []
    if security.certificate is None:
        missing.append("a certificate (--tls-certificate, --tls-key)")
    if security.users is None:
        missing.append("users with passwords (--users)")
    if missing:
        raise BrokerStartError(
            f"Other machines can reach {settings.host}: the broker listens there only with "
            f"{' and '.join(missing)}. Give them, listen on 127.0.0.1, or say --insecure where "
            "the network keeps strangers out."
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
