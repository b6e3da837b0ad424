"""Persisters as they are sent and answered."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from grnry.deployments.service import Condition
from grnry.errors import BadInput, Problem
from grnry.http.bodies import AnswerBody, RequestBody, SelfLink
from grnry.http.times import epoch_ms
from grnry.persisters import configuration
from grnry.persisters.configuration import DEFAULT_APP_CONFIG, DEFAULT_DEPLOYER_CONFIG
from grnry.persisters.kinds import PG, stream_name
from grnry.persisters.model import APP_NAME, LATEST, Change, Persister, Progress

NOTHING_GIVEN = "Parameter 'event_type_name' cannot be null"

_EXAMPLE: dict[str, Any] = {
    "appConfig": {**DEFAULT_APP_CONFIG, "eventstore.batchSize": "1000"},
    "deployerConfig": dict(DEFAULT_DEPLOYER_CONFIG),
    "appVersion": LATEST,
}


class PersisterBody(RequestBody):
    """A persister's configuration."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["appConfig", "deployerConfig"], "example": _EXAMPLE}
    )
    generated_fields: ClassVar[frozenset[str]] = frozenset({"_links", "lastUpdated", "state"})

    app_config: dict[str, str] | None = Field(
        None, description="All of it: what is not there is not set."
    )
    deployer_config: dict[str, str] | None = Field(None, description="All of it, as `appConfig`.")
    app_version: str | None = Field(
        None, description="`latest`, or the product's version; else it stays as it is."
    )
    stream_name: str | None = Field(None, description="As it is, if anything.")
    project_name: str | None = Field(None, description="As it is, if anything.")
    app_name: str | None = Field(None, description="As it is, if anything.")
    event_type_name: str | None = Field(None, description="As it is, if anything.")
    eventstore_type: str | None = Field(None, description="As it is, if anything.")

    def problems(self, path: Mapping[str, str]) -> Iterator[Problem]:
        for name, given in (
            ("appConfig", self.app_config),
            ("deployerConfig", self.deployer_config),
        ):
            if given is None:
                yield Problem(name, "must not be empty")

    def change(self, *, with_defaults: bool) -> Change:
        found = list(self.problems({}))
        if not self.model_fields_set and not self.model_extra:
            error = BadInput([Problem("event_type_name", "cannot be null"), *found])
            error.args = (NOTHING_GIVEN,)  # all that callers have ever been told of this
            raise error
        if found or self.app_config is None or self.deployer_config is None:
            raise BadInput(found)
        return Change(self.app_config, self.deployer_config, self.app_version, with_defaults)

    def expect_same(self, stored: Persister) -> None:
        """Refuse another value for what cannot be changed."""
        if found := list(self._differences(stored)):
            raise BadInput(found)

    def _differences(self, stored: Persister) -> Iterator[Problem]:
        fixed = fixed_fields(stored)
        for name, field in type(self).model_fields.items():
            wire = field.alias or name
            value = getattr(self, name)
            if wire in fixed and value not in (None, fixed[wire]):
                reason = f"must be '{fixed[wire]}', as it cannot be changed, but is '{value[:100]}'"
                yield Problem(wire, reason)


class StateAnswer(AnswerBody):
    """What is observed of a persister."""

    status: str = Field(examples=["STOPPED", "DEPLOYING", "RUNNING", "STOPPING", "FAILED"])
    message: str | None = Field(None, description="Why, where it does not run as it should.")
    retrying: bool | None = Field(None, description="Whether it goes on by itself.")
    outdated: bool | None = Field(None, description="A changed configuration waits for a start.")
    progress: "ProgressAnswer | None" = Field(
        None,
        description="With `expand=progress`, unless another database that it writes is away.",
    )
    links: SelfLink = Field(alias="_links")


class ProgressAnswer(AnswerBody):
    """How far a persister is in its topic."""

    records: int = Field(description="Records that are done with, since the first.")
    lag: int = Field(description="Records that wait in the log.")
    dead_letters: int = Field(description="Records that could not be stored.")


class PersisterAnswer(AnswerBody):
    """A persister and its configuration."""

    stream_name: str
    project_name: str
    app_name: str
    app_version: str
    app_config: dict[str, str]
    deployer_config: dict[str, str]
    event_type_name: str
    eventstore_type: str = Field(examples=[PG])
    last_updated: int = Field(description="Milliseconds since 1970.")
    state: StateAnswer | None = Field(None, description="With `expand=state`.")
    links: SelfLink = Field(alias="_links")


class LogsAnswer(AnswerBody):
    """What a persister's workers wrote, the newest line last."""

    logs: list[str]


class ActionBody(RequestBody):
    """What is to be done."""

    action: str | None = Field("", examples=["START", "STOP"])


def fixed_fields(persister: Persister) -> dict[str, str]:
    return {
        "streamName": stream_name(persister.event_type),
        "projectName": persister.project,
        "appName": APP_NAME,
        "eventTypeName": persister.event_type,
        "eventstoreType": PG,
    }


def full(persister: Persister, url: str) -> dict[str, Any]:
    fixed = fixed_fields(persister)
    return {
        "streamName": fixed["streamName"],
        "projectName": fixed["projectName"],
        "appName": fixed["appName"],
        "appVersion": persister.app_version,
        "appConfig": configuration.masked(persister.app_config),
        "deployerConfig": configuration.masked(persister.deployer_config),
        "eventTypeName": fixed["eventTypeName"],
        "eventstoreType": fixed["eventstoreType"],
        "lastUpdated": epoch_ms(persister.last_updated),
        "_links": {"self": {"href": url}},
    }


def exportable(persister: Persister) -> Mapping[str, Any]:
    """What is neither generated nor as it would be anyway; a PUT needs both maps, empty or not."""
    app = configuration.masked(persister.app_config)
    deployer = configuration.masked(persister.deployer_config)
    is_latest = persister.app_version == LATEST
    return {
        "appConfig": configuration.without_defaults(app, DEFAULT_APP_CONFIG),
        "deployerConfig": configuration.without_defaults(deployer, DEFAULT_DEPLOYER_CONFIG),
        **({} if is_latest else {"appVersion": persister.app_version}),
    }


def state_of(condition: Condition, url: str, progress: Progress | None = None) -> dict[str, Any]:
    answer = condition.told()
    if progress is not None:
        answer["progress"] = {
            "records": progress.records,
            "lag": progress.lag,
            "deadLetters": progress.dead_letters,
        }
    return answer | {"_links": {"self": {"href": url}}}
