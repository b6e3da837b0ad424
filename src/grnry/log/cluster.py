"""Where the log is and how its clients get in: address, encryption, name and password."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from grnry.errors import StartError

Conf = dict[str, Any]


class KafkaSettings(Protocol):
    """What the environment says of the log."""

    @property
    def kafka_bootstrap(self) -> str: ...
    @property
    def kafka_security_protocol(self) -> str: ...
    @property
    def kafka_sasl_mechanism(self) -> str: ...
    @property
    def kafka_username(self) -> str: ...
    @property
    def kafka_password(self) -> str: ...
    @property
    def kafka_ca(self) -> str: ...
    @property
    def kafka_certificate(self) -> str: ...
    @property
    def kafka_key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers, and as whom to come."""

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str = ""
    password: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Cluster({self.bootstrap!r}, {self.protocol!r})"  # not the password

    @classmethod
    def of(cls, settings: KafkaSettings) -> "Cluster":
        """As the environment says; raises StartError where that can't work."""
        found = cls(
            settings.kafka_bootstrap,
            settings.kafka_security_protocol,
            settings.kafka_sasl_mechanism,
            settings.kafka_username,
            settings.kafka_password,
            settings.kafka_ca,
            settings.kafka_certificate,
            settings.kafka_key,
        )
        found.check()
        return found

    @classmethod
    def at(cls, place: "Cluster | str") -> "Cluster":
        """An address alone is a cluster without passwords and encryption."""
        return cls(place) if isinstance(place, str) else place

    @property
    def has_users(self) -> bool:
        return self.protocol.startswith("SASL")

    @property
    def is_encrypted(self) -> bool:
        return self.protocol.endswith("SSL")

    def check(self) -> None:
        """Say what is missing before a client tries in vain."""
        if self.has_users and not (self.username and self.password):
            raise StartError(
                f"GRNRY_KAFKA_SECURITY_PROTOCOL is {self.protocol}: give GRNRY_KAFKA_USERNAME and "
                "GRNRY_KAFKA_PASSWORD as well."
            )
        if not self.has_users and (self.username or self.password):
            raise StartError(
                "GRNRY_KAFKA_USERNAME is given, but GRNRY_KAFKA_SECURITY_PROTOCOL is "
                f"{self.protocol}: no password is sent. Say SASL_SSL."
            )
        if not self.is_encrypted and (self.ca or self.certificate or self.key):
            raise StartError(
                "GRNRY_KAFKA_CA, GRNRY_KAFKA_CERTIFICATE or GRNRY_KAFKA_KEY is given, but "
                f"GRNRY_KAFKA_SECURITY_PROTOCOL is {self.protocol}: nothing is encrypted. Say "
                "SASL_SSL or SSL."
            )
        for name, path in (("CA", self.ca), ("CERTIFICATE", self.certificate), ("KEY", self.key)):
            if path and not Path(path).is_file():
                raise StartError(f"GRNRY_KAFKA_{name}: there is no file {path}.")

    def conf(self) -> Conf:
        """As the client library wants it."""
        found: Conf = {"bootstrap.servers": self.bootstrap}
        if self.protocol != "PLAINTEXT":
            found["security.protocol"] = self.protocol.lower()
        if self.has_users:
            found["sasl.mechanism"] = self.mechanism
            found["sasl.username"] = self.username
            found["sasl.password"] = self.password
        files = {
            "ssl.ca.location": self.ca,
            "ssl.certificate.location": self.certificate,
            "ssl.key.location": self.key,
        }
        return {**found, **{name: path for name, path in files.items() if path}}
