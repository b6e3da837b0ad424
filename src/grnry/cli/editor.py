"""A text in the user's own editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from grnry.cli.client import CallFailed


def edited(text: str, suffix: str = "") -> str:
    """The text as it is when the editor of VISUAL or EDITOR has ended."""
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"text{suffix}"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            done = subprocess.run([*words, str(file)], check=False)
        except OSError as error:
            raise CallFailed(
                f"The editor {words[0]} cannot be started: {error.strerror}. Set EDITOR to another."
            ) from error
        if done.returncode:
            raise CallFailed(f"The editor ended with {done.returncode}: nothing was changed.")
        return file.read_bytes().decode("utf-8", "replace")
