"""What a client of PostgreSQL says, as far as a COMMIT is to be seen in it."""

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_COPY_DATA, _QUERY, _PARSE = ord("d"), ord("Q"), ord("P")


class Frontend:
    """Fed with one connection's bytes, in pieces of any size.

    Messages have a letter and a length, but for those before the session begins.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._head = b""
        self._text = b""
        self._kind = 0
        self._left = 0
        self._has_copied = False

    def feed(self, data: bytes) -> bool:
        """Whether a COMMIT of a transaction that has copied something ends within this piece."""
        is_seen, at = False, 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                if self._kind in (_QUERY, _PARSE) and len(self._text) < 32:
                    self._text += data[at : at + min(taken, 32)]
                self._left -= taken
                at += taken
            else:
                wanted = (5 if self._has_begun else 8) - len(self._head)
                self._head += data[at : at + wanted]
                at += min(wanted, len(data) - at)
                if len(self._head) < (5 if self._has_begun else 8):
                    break
                self._begin_message()
            if not self._left:
                is_seen |= self._end_message()
        return is_seen

    def _begin_message(self) -> None:
        head, self._head, self._text = self._head, b"", b""
        if self._has_begun:
            self._kind, self._left = head[0], int.from_bytes(head[1:5]) - 4
            return
        self._kind, self._left = 0, int.from_bytes(head[:4]) - 8
        self._has_begun = int.from_bytes(head[4:8]) not in (_SSL, _GSS, _CANCEL)

    def _end_message(self) -> bool:
        kind, self._kind = self._kind, 0
        if kind == _COPY_DATA:
            self._has_copied = True
        is_commit = kind in (_QUERY, _PARSE) and b"COMMIT" in self._text.upper()
        is_end = is_commit or (kind in (_QUERY, _PARSE) and b"ROLLBACK" in self._text.upper())
        has_copied = self._has_copied
        if is_end and b"TO SAVEPOINT" not in self._text.upper():
            self._has_copied = False
        return is_commit and has_copied
