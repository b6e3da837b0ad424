"""Settings: one frozen value, read once from the environment (`GRNRY_…`)."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from grnry.errors import StartError

PREFIX = "GRNRY_"
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told from outside; each field is the variable GRNRY_<FIELD>."""

    data: str = ".grnry"
    """The data folder of `grnry up`."""

    database_url: str = ""
    """The platform's PostgreSQL, as the role that owns its schemas."""

    worker_database_url: str = ""
    """The same database, as the role that workers write with."""

    database_answer_seconds: Annotated[float, Meta(ge=0.1, le=300)] = 5.0
    """How long one statement of a request may take before the request is answered 503."""

    kafka_bootstrap: str = ""
    """Host and port of the log's brokers, comma-separated."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Whether the brokers are spoken to encrypted, and with a name and a password."""

    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How name and password are given."""

    kafka_username: str = ""
    """The name to come with."""

    kafka_password: str = ""
    """Its password."""

    kafka_ca: str = ""
    """A file with the certificates to trust the brokers by (PEM); else the machine's own."""

    kafka_certificate: str = ""
    """A file with the certificate to show (PEM), where brokers ask for one."""

    kafka_key: str = ""
    """The file with its private key (PEM)."""

    min_free_mb: Annotated[int, Meta(ge=0)] = 512
    """How much disk has to be free where the data folder lies, for `grnry up` to start."""

    log_files_mb: Annotated[int, Meta(ge=16)] = 256
    """How large the log files of `grnry up` may become, all together."""

    public_url: str = ""
    """The address users reach the API at; links start with it. Else the request's own."""

    admin_password: str = ""
    """The password that the user `admin` is made with; else a random one, printed once."""

    cli_secret: str = ""
    """The secret of the client `grnry-cli`, with which the command line logs in by itself."""

    oidc_issuer: str = ""
    """The OIDC issuer whose tokens count, such as a Keycloak realm; else the built-in one's."""

    oidc_audience: str = ""
    """Comma-separated; one of them has to be in a token's `aud`, or be its `azp`."""

    oidc_jwks_url: str = ""
    """Where that issuer's keys are, if they are not where its discovery document says."""

    oidc_ca: str = ""
    """A PEM file with the authorities behind the issuer's certificate; else the system's."""

    secrets_folder: str = ""
    """Where the credentials of projects are kept, as files only the owner can read."""

    max_body_bytes: Annotated[int, Meta(ge=1024)] = 16 * 1024 * 1024
    """The largest request body."""

    max_stream_bytes: Annotated[int, Meta(ge=1024)] = 2**30
    """The largest body of events one a line, which is never in memory as a whole."""

    collector_mb: Annotated[int, Meta(ge=1)] = 128
    """How much of events may be in hand at once, of all requests that send some."""

    expiry_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 600
    """How often the reaper looks for events that have expired."""

    dead_letter_days: Annotated[int, Meta(ge=1, le=36_500)] = 90
    """How many days dead letters are kept that nobody has dropped."""

    max_url_bytes: Annotated[int, Meta(ge=256)] = 8192
    """The longest URL."""

    max_header_bytes: Annotated[int, Meta(ge=1024)] = 32 * 1024
    """The largest head of a request: the names and values of its headers."""

    max_headers: Annotated[int, Meta(ge=10)] = 100
    """The most headers of a request."""

    max_requests: Annotated[int, Meta(ge=1)] = 256
    """The most requests at work at once."""

    max_connections: Annotated[int, Meta(ge=1)] = 2000
    """The most connections at once."""

    max_keep_alive_requests: Annotated[int, Meta(ge=1)] = 10_000
    """The most requests on one connection."""

    keep_alive_seconds: Annotated[int, Meta(ge=1)] = 30
    """How long a connection may be idle between two requests."""

    head_seconds: Annotated[float, Meta(gt=0)] = 10
    """How long the head of a request may take to come."""

    body_seconds: Annotated[float, Meta(gt=0)] = 20
    """How long a body may take to come, and one second more for every 8 KiB of it."""

    request_seconds: Annotated[float, Meta(gt=0)] = 60
    """How long the answer to a request may take."""

    cors_origins: str = ""
    """Origins whose pages may call the API from a browser, comma-separated, or `*`."""

    trusted_proxies: str = ""
    """Addresses and networks whose `Forwarded` and `X-Forwarded-*` headers are believed."""

    metrics_anonymous: bool = False
    """Whether /metrics answers without a token."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    log_json: bool = False
    """Log lines as JSON objects."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        env = os.environ if environment is None else environment
        fields = {field.name for field in msgspec.structs.fields(cls)}
        given = {name: env[key] for name in fields if env.get(key := PREFIX + name.upper())}
        try:
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise StartError(_explain(error, given)) from error


def _explain(error: msgspec.ValidationError, given: Mapping[str, str]) -> str:
    what, _, where = str(error).partition(" - at `$.")
    name = where.rstrip("`")
    if name not in given:
        return f"A setting of the environment is wrong: {what}."
    wanted = _wanted(name, what)
    return (
        f"The setting {PREFIX}{name.upper()} is '{given[name]}', but must be {wanted}."
        " Correct or unset it."
    )


def _wanted(name: str, what: str) -> str:
    kind = get_type_hints(Settings)[name]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    bound = re.search(r"[<>]=? [\d.]+", what)
    return _KINDS[kind] + (f" {bound[0]}" if bound else "")
