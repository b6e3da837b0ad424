"""What goes into a group's steps and what comes out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from grnry.log.broker.protocol.errors import ErrorCode

Token = object  # stands for a request that waits; only compared by identity


class State(StrEnum):
    """The names that DescribeGroups gives."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(frozen=True, slots=True)
class GroupSettings:
    initial_rebalance_delay_ms: int = 100
    min_session_timeout_ms: int = 100
    max_session_timeout_ms: int = 1_800_000
    max_members: int = 1000


class JoinRequest(NamedTuple):
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    two_steps: bool  # a new member is told its id first and joins with it


class JoinReply(NamedTuple):
    code: ErrorCode
    member_id: str = ""
    generation: int = -1
    protocol: str = ""
    leader: str = ""
    members: tuple[tuple[str, str | None, bytes], ...] = ()  # id, instance id, metadata


class SyncRequest(NamedTuple):
    member_id: str
    instance_id: str | None
    generation: int
    assignments: tuple[tuple[str, bytes], ...]


class SyncReply(NamedTuple):
    code: ErrorCode
    assignment: bytes = b""


class Reply(NamedTuple):
    """An answer to a request that may have waited."""

    token: Token
    value: JoinReply | SyncReply


@dataclass(slots=True)
class Member:
    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]
    expires_at: int
    joining: Token | None = None
    syncing: Token | None = None
    assignment: bytes = b""
    is_known_to_client: bool = False  # has had an answer with its id in it

    @property
    def is_waiting(self) -> bool:
        """Someone who waits for our answer is alive as long as the connection is."""
        return self.joining is not None or self.syncing is not None

    def metadata(self, protocol: str) -> bytes:
        return next((data for name, data in self.protocols if name == protocol), b"")

    def supports(self, protocol: str) -> bool:
        return any(name == protocol for name, _data in self.protocols)
