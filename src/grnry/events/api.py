"""Trying out expressions over HTTP."""

from typing import Any

from pydantic import Field

from grnry.events.evaluation import MADE, evaluate
from grnry.http.bodies import AnswerBody, RequestBody
from grnry.http.routing import ProjectName, Router
from grnry.identity.access import READ


class EvaluationBody(RequestBody):
    """Any of the four expressions, and an event to try them on."""

    correlation_id_expression: str = Field("", examples=["payload.user"])
    event_id_expression: str = Field("", examples=["payload.id"])
    timestamp_expression: str = Field("", examples=["#nowMillis()"])
    deletion_expression: str = Field("", examples=["payload.deleted?:false"])
    payload: Any = Field(None, description="Any JSON.", examples=[{"user": "u1", "id": "1"}])
    headers: dict[str, str] = Field(default_factory=dict, examples=[{"source": "web"}])


class EvaluationAnswer(AnswerBody):
    """What the given expressions make of the event."""

    correlation_id: str | None = Field(None, examples=["u1"])
    event_id: str | None = Field(None, examples=["1"])
    timestamp: int | None = Field(None, description="Milliseconds since 1970.")
    deletion: bool | None = None


def router() -> Router:
    api = Router(tags=["event types"])

    @api.scoped(
        "POST",
        "/event-types:evaluate",
        permission=READ,
        response_model=EvaluationAnswer,
        response_model_exclude_unset=True,
    )
    def evaluate_expressions(project: ProjectName, body: EvaluationBody) -> Any:
        """Try expressions out on an event; nothing is stored."""
        # One by one: as a whole it could not be taken apart where the payload nests deep.
        fields = EvaluationBody.model_fields
        texts = {fields[name].alias: getattr(body, name) for name in fields}
        given = {name: texts[name] for name in MADE if texts[name].strip()}
        return evaluate(given, body.payload, body.headers)

    return api
