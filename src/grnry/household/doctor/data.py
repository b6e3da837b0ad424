"""The data folder: its owner, its modes, its version, its secrets."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from grnry.errors import StartError
from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import LAYOUT, DataFolder

part = Part("folder")


def look(folder: DataFolder) -> Iterator[Finding]:
    if not folder.path.is_dir():
        yield _not_there(folder.path)
        return
    yield _owner(folder.path)
    yield _mode(folder.path)
    yield _version(folder)
    yield _secrets(folder)


def _not_there(path: Path) -> Finding:
    if path.exists():
        return part.problem("path", f"{path} is not a folder", "Choose another with --data.")
    above = next(each for each in path.parents if each.is_dir())
    if not os.access(above, os.W_OK | os.X_OK):
        todo = "Make it writable for you, or choose another folder with --data."
        return part.problem("path", f"{path} is not there and {above} is not writable", todo)
    return part.ok("path", f"{path} is not there yet; the first `grnry up` makes it")


def _owner(path: Path) -> Finding:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        said = f"{path} belongs to user {owner}, you are user {os.geteuid()}"
        return part.problem("owner", said, "Run Granary as the owner, or change it with chown -R.")
    if not os.access(path, os.W_OK | os.X_OK):
        return part.problem("owner", f"{path} is not writable", f"chmod u+rwx {path}")
    return part.ok("owner", f"{path} is yours and writable")


def _mode(path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        said = f"others may write in it (mode {mode:o})"
        return part.problem("mode", said, f"chmod go-w {path}")
    return part.ok("mode", f"{mode:o}")


def _version(folder: DataFolder) -> Finding:
    what = "layout"
    try:
        found = (folder.path / "version").read_text(errors="replace").strip()
    except FileNotFoundError:
        return part.ok(what, "none yet")
    except OSError as error:
        return part.problem(what, f"the version cannot be read: {error.strerror}", "Look at it.")
    if found and not found.isdecimal():
        todo = "This may not be a data folder of Granary: choose another with --data."
        return part.problem(what, f"{found[:40]!r} is no number of a layout", todo)
    if found and int(found) > LAYOUT:
        todo = "Start the version of Granary that made it."
        return part.problem(what, f"{found}, but this version knows {LAYOUT}", todo)
    return part.ok(what, found or "none yet")


def _secrets(folder: DataFolder) -> Finding:
    what, file = "secrets", folder.path / "secrets.json"
    try:
        known = folder.known_secrets()
    except StartError as error:
        return part.problem(what, error.message, "Without it, the embedded database has no login.")
    if known is None:
        if (folder.postgres / "made").exists():
            todo = "Put a copy of it back from a backup: it holds the database's passwords."
            return part.problem(what, f"{file} is gone", todo)
        return part.ok(what, "none yet")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return part.problem(what, f"others may read them (mode {mode:o})", f"chmod 600 {file}")
    return part.ok(what, "readable by their owner only")
