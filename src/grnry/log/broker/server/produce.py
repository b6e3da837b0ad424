"""Produce: check, append, acknowledge when it is on the disk."""

import asyncio
import logging
import time
from collections.abc import Callable

from grnry.log.broker.protocol import batches, produce
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.storage.partition import PartitionLog
from grnry.log.broker.storage.store import Store, now_ms

from .answers import After, Answer, Request

log = logging.getLogger("grnry.log.broker")

_SECONDS_BETWEEN_WARNINGS = 10.0
Durable = Callable[[PartitionLog], "asyncio.Future[None] | None"]


class ProduceHandler:
    def __init__(self, store: Store, durable: Durable) -> None:
        self._store = store
        self._durable = durable
        self._quiet_until = 0.0

    def __call__(self, request: Request) -> Answer:
        asked = produce.read(request.frame, request.body_at)
        results = []
        done: asyncio.Future[None] | None = None
        for part in asked.partitions:
            try:
                self._check_request(asked)
                written, result = self._append(part)
                done = self._durable(written) or done
            except RequestError as error:
                self._tell_of_disk(error)
                result = produce.PartitionResult(
                    part.topic, part.partition, error.code, message=error.message
                )
            results.append(result)
        if asked.acks == 0:
            return None
        body = produce.write(request.version, results)
        return [body] if done is None else After(done, [body])

    def _check_request(self, asked: produce.ProduceRequest) -> None:
        if asked.acks not in {-1, 0, 1}:
            raise RequestError(ErrorCode.INVALID_REQUIRED_ACKS)
        if asked.transactional_id is not None:
            raise RequestError(ErrorCode.INVALID_TXN_STATE, "This broker has no transactions.")

    def _tell_of_disk(self, error: RequestError) -> None:
        """Once in a while: clients try again many times a second."""
        now = time.monotonic()
        if error.code is ErrorCode.KAFKA_STORAGE_ERROR and now >= self._quiet_until:
            self._quiet_until = now + _SECONDS_BETWEEN_WARNINGS
            log.warning("a write was refused: %s", error)

    def _append(
        self, part: produce.PartitionRecords
    ) -> tuple[PartitionLog, produce.PartitionResult]:
        now = now_ms()
        topic = self._store.topics.get(part.topic)
        written = topic.log(part.partition, now)
        headers = batches.check(part.records, topic.config.max_message_bytes)
        epoch = self._store.epoch
        appended = written.append(part.records, headers, topic.config, epoch, now)
        return written, produce.PartitionResult(
            part.topic,
            part.partition,
            ErrorCode.NONE,
            appended.base_offset,
            appended.timestamp,
            written.start_offset,
        )
