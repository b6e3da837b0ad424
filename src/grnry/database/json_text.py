"""JSON as the database has written it: every digit of its numbers, however deep it is nested."""


class JsonText(str):
    """A text that is JSON, to be shown as it is."""

    __slots__ = ()
