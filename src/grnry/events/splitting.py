"""What a request's body holds: one JSON object, an array of them, or one a line. Pure.

Each event's bytes are cut out as they are, so that the order of keys and integers beyond 64 bits
survive.
"""

import zlib

import msgspec

from grnry.errors import BadInput
from grnry.http.json_requests import is_json

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)

MOST_STREAMS = 100
UNSAID_TYPES = ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream")
"""What clients say whose users say nothing."""
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonlines")


def is_ndjson(content_type: str) -> bool:
    """Whether the body is one event a line."""
    return content_type.partition(";")[0].strip().lower() in NDJSON_TYPES


def may_be_events(content_type: str) -> bool:
    """Whether to look into the body at all: what is sent without much ado is taken for JSON."""
    named = content_type.partition(";")[0].strip().lower()
    return named in UNSAID_TYPES or is_ndjson(content_type) or is_json(content_type)


class TooLarge(Exception):  # noqa: N818 - it names what the body is
    """The body is larger than allowed, unpacked."""


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """The body as it was before its content encoding; raises TooLarge beyond `most` bytes."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadInput.of("Content-Encoding", f"must be 'gzip' but is '{encoding}'", "Header")
    data, rest = b"", body
    for _ in range(MOST_STREAMS):  # a file may be several, one after the other
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            data += unzip.decompress(rest, most + 1 - len(data))
        except zlib.error as error:
            raise BadInput.of("body", f"is not gzip: {error}") from error
        if len(data) > most:
            raise TooLarge
        if not unzip.eof:
            raise BadInput.of("body", "is cut off: the gzip stream has no end")
        rest = unzip.unused_data
        if not rest:
            return data
    raise BadInput.of("body", f"has more than {MOST_STREAMS} gzip streams")


def split(body: bytes, content_type: str) -> list[bytes]:
    """The events of a body, each as its own bytes."""
    text = body.strip()
    if not text:
        raise BadInput.of("body", "must not be empty")
    if is_ndjson(content_type):
        return _lines(text)
    try:
        return _whole(text)
    except msgspec.DecodeError as error:
        if _is_json(text.partition(b"\n")[0]):
            return _lines(text)
        raise BadInput.of("body", f"is not JSON: {error}") from error
    except RecursionError:
        raise BadInput.of("body", "is nested too deeply") from None


def _is_json(text: bytes) -> bool:
    """Whether the first line is an event of its own, so that the others are meant to be as well."""
    try:
        _ANY.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _whole(text: bytes) -> list[bytes]:
    if text.startswith(b"["):
        return [bytes(raw) for raw in _RAWS.decode(text)]
    _ANY.decode(text)
    return [text]


def _lines(text: bytes) -> list[bytes]:
    return [line for part in text.split(b"\n") if (line := part.strip())]
