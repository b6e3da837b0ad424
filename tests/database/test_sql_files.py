"""All SQL of the platform lies in files by name.

That each name in it has its schema needs no test: our sessions look in the catalogue only.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

SOURCE = ROOT / "src/grnry"
FILES = sorted(SOURCE.rglob("*.sql"))
MODULES = sorted(SOURCE.rglob("*.py"))
RUNS = {"execute", "executemany", "copy", "run", "row", "rows", "value", "many"}
# `alter column` is no statement but a part of one, as a column of `create table` is.
STATEMENT = re.compile(
    r"^\s*(select|insert|update|delete|create|alter(?! column)|drop|grant|revoke|copy|lock|set|with"
    r"|truncate)\s",
    re.IGNORECASE,
)
# A probe of whether the server lives, which has no value and no name in it.
HARMLESS = {"select 1"}
# What is composed as a script before any driver can log in.
EXCEPT = {SOURCE / "database/embedded.py"}


def texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_runs_a_statement_of_its_own(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if not isinstance(node, ast.Call) or module in EXCEPT:
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in RUNS | {"SQL"} and node.args:
            found = [text for text in texts(node.args[0]) if STATEMENT.match(text)]
            wrong = [text for text in found if text not in HARMLESS]
            # The statement that a DBA is told to run is shown, not run.
            wrong = [text for text in wrong if not text.startswith("alter role {role} createrole")]
            assert not wrong, f"{module}:{node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_takes_an_advisory_lock(file: Path) -> None:
    """Whoever may log in may take any, and a project's role may log in."""
    assert not re.search(r"pg_(try_)?advisory", file.read_text())
