"""What ends a command with a sentence."""


class CallFailed(Exception):  # noqa: N818
    """The command cannot do what it is asked; the text is what to say."""
