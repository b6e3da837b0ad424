"""The administration of topics and their settings."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from grnry.log.broker.protocol.codec import Values
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.storage.config import DEFINITIONS, Definition, check
from grnry.log.broker.storage.store import Store
from grnry.log.broker.storage.topics import Topic, check_name

from .answers import Answer, Request

_TOPIC, _BROKER = 2, 4
_DEFAULT, _STATIC_BROKER, _OF_TOPIC = 5, 4, 1
_SET, _DELETE, _APPEND, _SUBTRACT = 0, 1, 2, 3


class TopicHandlers:
    def __init__(
        self, store: Store, most_partitions: int, forget_offsets: Callable[[str], None]
    ) -> None:
        self._store = store
        self._topics = store.topics
        self._most_partitions = most_partitions
        self._forget_offsets = forget_offsets

    # Create and delete

    def create(self, request: Request) -> Answer:
        body = request.body
        times = Counter(one.name for one in body.topics)
        results = []
        for name, count in times.items():
            one = next(one for one in body.topics if one.name == name)
            code, message = _attempt(lambda: self._create(one, count, body.validate_only))  # noqa: B023
            results.append({"name": name, "error_code": code, "error_message": message})
        return {"topics": results}

    def _create(self, asked: Any, times: int, validate_only: bool) -> None:
        if times > 1:
            raise RequestError(ErrorCode.INVALID_REQUEST, "The topic is named more than once.")
        check_name(asked.name)
        if asked.name in self._topics:
            raise RequestError(
                ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{asked.name}' already exists."
            )
        partitions = self._partitions(asked)
        config = check({one.name: one.value for one in asked.configs})
        if not validate_only:
            self._topics.create(asked.name, partitions, config)

    def _partitions(self, asked: Any) -> int:
        if asked.assignments:
            numbers = sorted(one.partition_index for one in asked.assignments)
            if numbers != list(range(len(numbers))):
                raise RequestError(ErrorCode.INVALID_REPLICA_ASSIGNMENT)
            return self._checked_count(len(numbers))
        if asked.replication_factor == 0 or asked.replication_factor < -1:
            raise RequestError(
                ErrorCode.INVALID_REPLICATION_FACTOR, "The replication factor is 1 (or -1)."
            )
        return self._checked_count(1 if asked.num_partitions == -1 else asked.num_partitions)

    def _checked_count(self, count: int) -> int:
        if not 1 <= count <= self._most_partitions:
            raise RequestError(
                ErrorCode.INVALID_PARTITIONS,
                f"A topic has 1 to {self._most_partitions} partitions, not {count}.",
            )
        return count

    def delete(self, request: Request) -> Answer:
        results = []
        for name in request.body.topic_names:
            code, _message = _attempt(lambda: self._delete(name))  # noqa: B023
            results.append({"name": name, "error_code": code})
        return {"responses": results}

    def _delete(self, name: str) -> None:
        aside = self._topics.delete(self._topics.get(name))
        self._forget_offsets(name)
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, lambda: shutil.rmtree(aside, ignore_errors=True))

    def create_partitions(self, request: Request) -> Answer:
        results = []
        for one in request.body.topics:
            code, message = _attempt(
                lambda: self._create_partitions(one, request.body.validate_only)  # noqa: B023
            )
            results.append({"name": one.name, "error_code": code, "error_message": message})
        return {"results": results}

    def _create_partitions(self, asked: Any, validate_only: bool) -> None:
        topic = self._topics.get(asked.name)
        if asked.count <= topic.partitions:
            raise RequestError(
                ErrorCode.INVALID_PARTITIONS,
                f"Topic {topic.name} has {topic.partitions} partitions; their number only grows.",
            )
        count = self._checked_count(asked.count)
        if not validate_only:
            topic.save(count, topic.given)

    # Settings

    def describe_configs(self, request: Request) -> Answer:
        return {"results": [self._described(one) for one in request.body.resources]}

    def _described(self, asked: Any) -> Values:
        configs: list[Values] = []
        code, message = _attempt(lambda: configs.extend(self._configs(asked)))
        keys = asked.configuration_keys
        return {
            "error_code": code,
            "error_message": message,
            "resource_type": asked.resource_type,
            "resource_name": asked.resource_name,
            "configs": [one for one in configs if keys is None or one["name"] in keys],
        }

    def _configs(self, asked: Any) -> list[Values]:
        defaults = self._topics.defaults
        if asked.resource_type == _BROKER:
            return [
                _config(f"log.{name}", one.default(defaults), _STATIC_BROKER, one)
                for name, one in DEFINITIONS.items()
            ]
        given = self._resource(asked).given
        return [
            _config(
                name,
                given.get(name, one.default(defaults)),
                _OF_TOPIC if name in given else _DEFAULT,
                one,
            )
            for name, one in DEFINITIONS.items()
        ]

    def _resource(self, asked: Any) -> Topic:
        if asked.resource_type != _TOPIC:
            raise RequestError(
                ErrorCode.INVALID_REQUEST,
                "Only topics have settings that can be changed; the broker's are given at start.",
            )
        return self._topics.get(asked.resource_name)

    def alter_configs(self, request: Request) -> Answer:
        return self._altered(request, lambda _topic, one: {c.name: c.value for c in one.configs})

    def incremental_alter_configs(self, request: Request) -> Answer:
        return self._altered(request, _changed)

    def _altered(
        self, request: Request, wanted: Callable[[Topic, Any], Mapping[str, str | None]]
    ) -> Answer:
        def alter(one: Any) -> None:
            topic = self._resource(one)
            given = check(wanted(topic, one))
            if not request.body.validate_only:
                topic.save(topic.partitions, given)

        responses = []
        for one in request.body.resources:
            code, message = _attempt(lambda: alter(one))  # noqa: B023
            responses.append(
                {
                    "error_code": code,
                    "error_message": message,
                    "resource_type": one.resource_type,
                    "resource_name": one.resource_name,
                }
            )
        return {"responses": responses}


def _changed(topic: Topic, asked: Any) -> Mapping[str, str | None]:
    given: dict[str, str | None] = dict(topic.given)
    for one in asked.configs:
        before = (given.get(one.name) or "delete").split(",")
        if one.config_operation == _SET:
            given[one.name] = one.value
        elif one.config_operation == _DELETE:
            given.pop(one.name, None)
        elif one.name != "cleanup.policy":
            raise RequestError(ErrorCode.INVALID_CONFIG, f"{one.name} is no list.")
        elif one.config_operation == _APPEND:
            given[one.name] = ",".join(dict.fromkeys([*before, one.value or ""]))
        elif one.config_operation == _SUBTRACT:
            given[one.name] = ",".join(name for name in before if name != one.value)
    return given


def _config(name: str, value: str, source: int, definition: Definition) -> Values:
    return {
        "name": name,
        "value": value,
        "read_only": source == _STATIC_BROKER,
        "config_source": source,
        "is_sensitive": False,
        "synonyms": (),
        "config_type": definition.kind,
        "documentation": definition.documentation,
    }


def _attempt(action: Callable[[], object]) -> tuple[ErrorCode, str | None]:
    try:
        action()
    except RequestError as error:
        return error.code, error.message
    except OSError as error:
        return ErrorCode.KAFKA_STORAGE_ERROR, f"The disk refuses: {error}"
    return ErrorCode.NONE, None
