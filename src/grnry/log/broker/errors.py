"""What keeps the broker from starting or from going on, and its files from being looked at."""


class BrokerError(Exception):
    """The root of what the broker and its tools raise."""


class BrokerStartError(BrokerError):
    """The broker can't start; the message says why and what to do."""


class DamagedLogError(BrokerStartError):
    """A file holds something else than what was written; nothing is skipped in silence."""


class InspectionError(BrokerError):
    """The files can't be looked at: a broker runs on them, or they are not there."""


class SyncFailedError(BrokerError):
    """The disk did not take what was written; only a start, which reads it, tells what it has."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause
