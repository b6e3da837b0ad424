"""What keeps the broker from starting or from going on."""


class BrokerStartError(Exception):
    """The broker can't start; the message says why and what to do."""


class DamagedLogError(BrokerStartError):
    """A file holds something else than what was written; nothing is skipped in silence."""
