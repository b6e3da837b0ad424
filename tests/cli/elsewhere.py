"""The command line as a person uses it far from the server: no data folder, a home of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.running import COMMAND


class CommandLine:
    """`grnry` in an empty folder, with an own folder for what it keeps."""

    def __init__(self, home: Path) -> None:
        self.config = home / "config"
        self.folder = home / "elsewhere"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def file(self) -> Path:
        return self.config / "grnry/logins.json"

    def environment(self, **others: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if "GRNRY" not in name}
        return {**inherited, "XDG_CONFIG_HOME": str(self.config), **others}

    def run(self, *words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment(**env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def do(self, *words: str, stdin: str = "", **env: str) -> str:
        """A command that has to succeed; answers what it printed."""
        done = self.run(*words, stdin=stdin, **env)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, *words: str, stdin: str = "", **env: str) -> str:
        """A command that has to fail, with a sentence; answers that."""
        done = self.run(*words, stdin=stdin, **env)
        assert done.returncode == 1, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr

    def log_in(self, url: str, user: str, password: str) -> str:
        return self.do("login", "--url", url, "--user", user, "--password-stdin", stdin=password)

    def change(self, **fields: Any) -> dict[str, Any]:
        """Change the one login that is kept; answers it as it was."""
        kept = json.loads(self.file.read_text())
        (login,) = kept["logins"].values()
        before = dict(login)
        login.update(fields)
        self.file.write_text(json.dumps(kept))
        return before
