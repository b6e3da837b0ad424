"""The arguments of operations that take parameters only, by a plan that is made once.

The framework works out for each request anew what every parameter is, which takes longer than to
ask the database. A plan knows it. What is none of a plan's stays the framework's: operations with a
body or with dependencies of other kinds, and each request of which a parameter is missing or wrong,
so that errors are found and told in one place.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from types import UnionType
from typing import Any, Protocol, Union, get_args, get_origin

from fastapi.dependencies.models import Dependant
from pydantic.fields import FieldInfo
from starlette.requests import Request

Dependency = Callable[..., Awaitable[Any]]
Values = dict[str, Any]

# Of what the framework may know of a function, what a plan understands.
_UNDERSTOOD = frozenset(
    {
        *("path_params", "query_params", "header_params", "dependencies"),
        *("request_param_name", "http_connection_param_name"),
        *("name", "call", "path", "scope", "use_cache"),
    }
)
_SIMPLE = frozenset((str, int, float, bool, type(None)))


class Unclear(Exception):  # noqa: N818 - of no interest to a caller
    """The request is one for the framework."""


class Field(Protocol):
    """A parameter, as the framework knows it."""

    name: str
    field_info: FieldInfo

    @property
    def alias(self) -> str: ...

    def validate(self, value: Any) -> tuple[Any, Any]: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where in a request a value stands, and what is expected of it."""

    name: str
    key: str
    field: Field
    is_required: bool
    default: Any

    def value(self, given: Mapping[str, str]) -> Any:
        text = given.get(self.key)
        if text is None and not self.is_required:
            return self.default
        value, errors = self.field.validate(text)
        if errors:
            raise Unclear
        return value


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each argument of one function comes from."""

    path: tuple[Parameter, ...]
    query: tuple[Parameter, ...]
    headers: tuple[Parameter, ...]
    requests: tuple[str, ...]
    """The parameters that are the request itself."""
    parts: tuple[tuple[str | None, Dependency, "Plan"], ...]
    """The parameters that functions answer which have arguments themselves."""

    async def arguments(
        self, request: Request, answered: dict[Dependency, Any] | None = None
    ) -> Values:
        """Raises `Unclear` where a parameter is missing or wrong."""
        answered = {} if answered is None else answered
        found: Values = dict.fromkeys(self.requests, request)
        for name, function, plan in self.parts:
            if function not in answered:
                answered[function] = await function(**await plan.arguments(request, answered))
            if name is not None:
                found[name] = answered[function]
        found.update(self._values(request))
        return found

    def _values(self, request: Request) -> Iterator[tuple[str, Any]]:
        for each in self.path:
            yield each.name, each.value(request.path_params)
        if self.query:
            query = request.query_params if request.scope["query_string"] else {}
            for each in self.query:
                yield each.name, each.value(query)
        for each in self.headers:
            yield each.name, each.value(request.headers)


def plan_of(dependant: Dependant) -> Plan | None:
    """None for a function that takes what no plan knows."""
    said = {each.name for each in fields(dependant) if getattr(dependant, each.name)}
    every = [*dependant.path_params, *dependant.query_params, *dependant.header_params]
    if said - _UNDERSTOOD or not all(_is_simple(field) for field in every):
        return None
    parts = []
    for part in dependant.dependencies:
        plan = plan_of(part)
        if plan is None or part.call is None or not iscoroutinefunction(part.call):
            return None
        parts.append((part.name, part.call, plan))
    requests = (dependant.request_param_name, dependant.http_connection_param_name)
    return Plan(
        path=_parameters(dependant.path_params),
        query=_parameters(dependant.query_params),
        headers=_parameters(dependant.header_params),
        requests=tuple(name for name in requests if name),
        parts=tuple(parts),
    )


def _is_simple(field: Field) -> bool:
    """Whether it is one text, whose default is used as it is."""
    kind = field.field_info.annotation
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return _SIMPLE.issuperset(kinds) and not field.field_info.validate_default


def _parameters(given: Iterable[Field]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=field.name,
            key=field.alias,
            field=field,
            is_required=field.field_info.is_required(),
            default=field.field_info.get_default(),
        )
        for field in given
    )
