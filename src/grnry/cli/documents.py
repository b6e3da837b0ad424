"""Descriptions of things as files: read from YAML or JSON, printed, compared."""

import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grnry.cli.failures import CallFailed

LARGEST = 16 * 2**20


def read_document(path: Path) -> dict[str, Any]:
    """An object from a file of YAML or JSON; `-` is the standard input."""
    import yaml

    text, name = _text(path)
    try:
        # JSON first: YAML reads most of it, but not all, and is slow.
        found = json.loads(text) if text.lstrip()[:1] in "{[" else yaml.safe_load(text)
    except json.JSONDecodeError:
        found = _yaml(text, name)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CallFailed(f"{name} is neither YAML nor JSON: {_said(error)}") from error
    if not isinstance(found, dict):
        raise CallFailed(f"{name} must hold one object of fields.")
    return dict(_sendable(found, name))


def _sendable(found: Any, name: str) -> Any:
    """What can be written as JSON: YAML has dates, and Python reads NaN, 1e999 and half pairs."""
    try:
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CallFailed(f"{name} holds something that JSON does not know: {error}") from error
    return found


def _yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CallFailed(f"{name} is neither YAML nor JSON: {_said(error)}") from error


def read_json(path: Path) -> Any:
    """Any JSON from a file; `-` is the standard input."""
    text, name = _text(path)
    return parse_json(text, name)


def parse_json(text: str, name: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CallFailed(f"{name} is not JSON: {error}") from error
    return _sendable(found, name)


def _text(path: Path) -> tuple[str, str]:
    name = "The standard input" if str(path) == "-" else str(path)
    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
    except OSError as error:
        raise CallFailed(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST:
        raise CallFailed(f"{name} is larger than {LARGEST // 2**20} MB.")
    try:
        return raw.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        raise CallFailed(f"{name} is not UTF-8: {error}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())


def as_yaml(document: Mapping[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)
    return str(text)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Lines that show what is taken away and what is added, field by field."""
    for name in [*before, *(each for each in after if each not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict | list) or isinstance(new, dict | list):
            yield f"  {name}:"
            lines = difflib.ndiff(_lines(old), _lines(new))
            yield from (f"  {line}" for line in lines if line[:1] in "+-")
        else:
            if old not in (None, ""):
                yield f"- {name}: {old}"
            if new not in (None, ""):
                yield f"+ {name}: {new}"


def _lines(value: Any) -> list[str]:
    if value in (None, "", [], {}):
        return []
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def confirm(question: str, *, yes: bool) -> None:
    """Ask at a terminal; programs say `--yes`, or are refused where they have to."""
    import typer

    if yes:
        return
    if not sys.stdin.isatty():
        raise CallFailed(f"{question} Say --yes where nobody can be asked.")
    if not typer.confirm(question, err=True):
        raise CallFailed("Nothing was changed.")
