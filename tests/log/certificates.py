"""A certificate authority for tests, and a server's certificate of it, made by OpenSSL."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """The authority to trust, and what a server on this machine shows."""

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificates:
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca_key = str(folder / "ca-key.pem")
    _openssl("req", "-x509", *new_key, "-keyout", ca_key, "-subj", "/CN=tests",
             "-days", "2", "-out", str(made.authority))  # fmt: skip
    _openssl("req", "-x509", *new_key, "-keyout", str(made.key), "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-CA", str(made.authority), "-CAkey", ca_key,
             "-days", "2", "-out", str(made.certificate))  # fmt: skip
    return made


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)
