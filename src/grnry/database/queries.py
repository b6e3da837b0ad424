"""SQL in named blocks: `-- name: find_user` begins the block that code calls `find_user`.

No value is ever formatted into a statement; names that vary are composed as identifiers.
"""

import re
from functools import cache
from importlib.resources import files

from psycopg import sql

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


class Queries:
    """The blocks of one `.sql` file, as attributes."""

    def __init__(self, text: str) -> None:
        parts = _NAME.split(text)
        self._blocks = {
            name: sql.SQL(body.strip().rstrip(";"))
            for name, body in zip(parts[1::2], parts[2::2], strict=True)
        }

    def __getattr__(self, name: str) -> sql.SQL:
        try:
            return self._blocks[name]
        except KeyError:
            raise AttributeError(name) from None

    def composed(self, name: str, /, **identifiers: sql.Composable) -> sql.SQL:
        """A block whose `{placeholders}` are identifiers or literals, quoted by the driver.

        It is put together here and now: the driver would do so whenever it is executed.
        """
        composed: sql.Composed = getattr(self, name).format(**identifiers)
        return sql.SQL(composed.as_string())


@cache
def load(package: str, file: str = "store.sql") -> Queries:
    return Queries(files(package).joinpath(file).read_text(encoding="utf-8"))
