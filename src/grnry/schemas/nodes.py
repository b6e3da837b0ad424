"""A schema within a schema, in one notation for all drafts.

What drafts write differently (`items` as a list, `dependencies`, a boolean `exclusiveMinimum`,
`$ref` beside other keywords) is the same here: the comparison knows no drafts.
"""

from functools import cache, cached_property
from typing import Any

import jsonschema_rs
import orjson

from grnry.schemas.document import PATTERN_OPTIONS, JsonSchema, build, read_schema
from grnry.schemas.drafts import Draft, Place
from grnry.schemas.errors import path_of

KINDS = frozenset(("null", "boolean", "integer", "fraction", "string", "object", "array"))
"""The types of values; `number` is `integer` and `fraction`."""
NUMERIC = frozenset(("integer", "fraction"))

KNOWN_FROM = {"const": 6, "minContains": 19, "maxContains": 19}


def kinds_of(types: str | list[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in [types] if isinstance(types, str) else types:
        found |= NUMERIC if name == "number" else {name}
    return frozenset(found)


def kind_of(value: Any) -> str:
    """The type of a JSON value; a number without a fraction is an integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) else "fraction"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


class Root:
    """A whole schema, whose nodes are made once each."""

    def __init__(self, schema: JsonSchema) -> None:
        self.schema = schema
        self.draft: Draft = schema.draft
        self._nodes: dict[Place, Node] = {}

    @cached_property
    def node(self) -> "Node":
        return self.at((), self.schema.effective)

    def at(self, place: Place, raw: Any) -> "Node":
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = Node(self, place, raw)
        return node

    def target(self, place: Place) -> "Node":
        found = self.schema.references[place]
        raw: Any = self.schema.effective
        for step in found:
            raw = raw[int(step)] if isinstance(raw, list) else raw[step]
        return self.at(found, raw)

    @cached_property
    def validators(self) -> jsonschema_rs.ValidatorMap:
        document = {"$schema": self.draft.uri, **self.schema.effective}
        return jsonschema_rs.validator_map_for(
            document, offline=True, pattern_options=PATTERN_OPTIONS
        )

    @cached_property
    def _whole(self) -> jsonschema_rs.Validator:
        return build(self.schema.effective, self.draft)

    def accepts(self, place: Place, value: Any) -> bool:
        if not place:
            return self._whole.is_valid(value)
        return self.validators[path_of(place)].is_valid(value)


class Node:
    """One schema; its keywords are attributes, absent ones empty or None."""

    def __init__(self, root: Root, place: Place, raw: Any) -> None:
        self.root = root
        self.place = place
        self.raw = raw
        self.is_false = raw is False
        self.keywords: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if "$ref" in self.keywords and root.draft.number < 19:
            self.keywords = {"$ref": self.keywords["$ref"]}

    def __repr__(self) -> str:
        return f"<Node {path_of(self.place)}>"

    def accepts(self, value: Any) -> bool:
        return self.root.accepts(self.place, value)

    def value(self, keyword: str) -> Any:
        """What an assertion without schemas in it says; None where it is absent."""
        if self.root.draft.number < KNOWN_FROM.get(keyword, 0):
            return None
        return self.keywords.get(keyword)

    def _one(self, keyword: str, since: int = 4) -> "Node | None":
        raw = self.keywords.get(keyword)
        if self.root.draft.number < since or not isinstance(raw, dict | bool):
            return None
        return self.root.at((*self.place, keyword), raw)

    def _list(self, keyword: str) -> "tuple[Node, ...]":
        raw = self.keywords.get(keyword)
        if not isinstance(raw, list):
            return ()
        place = (*self.place, keyword)
        return tuple(self.root.at((*place, str(at)), child) for at, child in enumerate(raw))

    def _map(self, keyword: str) -> "dict[str, Node]":
        raw = self.keywords.get(keyword, {})
        return {
            name: self.root.at((*self.place, keyword, name), child)
            for name, child in raw.items()
            if isinstance(child, dict | bool)
        }

    @cached_property
    def listed(self) -> list[Any] | None:
        """The values of `enum` or `const`."""
        if "const" in self.keywords and self.root.draft.number >= KNOWN_FROM["const"]:
            return [self.keywords["const"]]
        values = self.keywords.get("enum")
        return values if isinstance(values, list) else None

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types of values that the schema accepts at most."""
        if self.is_false:
            return frozenset()
        types = self.keywords.get("type")
        kinds = KINDS if types is None else kinds_of(types)
        if self.listed is not None:
            kinds &= {kind_of(value) for value in self.listed}
        for member in (*self.all_of, *([self.ref] if self.ref else [])):
            kinds &= member.kinds
        for branches in (self.any_of, self.one_of):
            if branches:
                kinds &= frozenset[str]().union(*(branch.kinds for branch in branches))
        return kinds

    @cached_property
    def ref(self) -> "Node | None":
        return self.root.target(self.place) if self.place in self.root.schema.references else None

    @cached_property
    def all_of(self) -> "tuple[Node, ...]":
        return self._list("allOf")

    @cached_property
    def any_of(self) -> "tuple[Node, ...]":
        return self._list("anyOf")

    @cached_property
    def one_of(self) -> "tuple[Node, ...]":
        return self._list("oneOf")

    @cached_property
    def negated(self) -> "Node | None":
        return self._one("not")

    @cached_property
    def condition(self) -> "Node | None":
        return self._one("if", 7)

    @cached_property
    def then(self) -> "Node | None":
        return self._one("then", 7)

    @cached_property
    def otherwise(self) -> "Node | None":
        return self._one("else", 7)

    @cached_property
    def properties(self) -> "dict[str, Node]":
        return self._map("properties")

    @cached_property
    def patterns(self) -> "dict[str, Node]":
        return self._map("patternProperties")

    @cached_property
    def additional(self) -> "Node | None":
        return self._one("additionalProperties")

    @cached_property
    def unevaluated_properties(self) -> "Node | None":
        return self._one("unevaluatedProperties", 19)

    @cached_property
    def property_names(self) -> "Node | None":
        return self._one("propertyNames", 6)

    @cached_property
    def dependent_schemas(self) -> "tuple[tuple[str, Node], ...]":
        later = self._map("dependentSchemas") if self.root.draft.number >= 19 else {}
        return (*self._map("dependencies").items(), *later.items())

    @cached_property
    def dependent_required(self) -> tuple[tuple[str, list[str]], ...]:
        pairs = [*self.keywords.get("dependencies", {}).items()]
        if self.root.draft.number >= 19:
            pairs += self.keywords.get("dependentRequired", {}).items()
        return tuple((name, value) for name, value in pairs if isinstance(value, list))

    @cached_property
    def named(self) -> frozenset[str]:
        """The properties that the schema mentions by name."""
        needed = [name for _, names in self.dependent_required for name in names]
        pairs = (*self.dependent_required, *self.dependent_schemas)
        return frozenset(
            [*self.properties, *(self.value("required") or ()), *needed, *(own for own, _ in pairs)]
        )

    @cached_property
    def prefix(self) -> "tuple[Node, ...]":
        return self._list(self.prefix_keyword)

    @property
    def prefix_keyword(self) -> str:
        return "prefixItems" if self.root.draft.number >= 20 else "items"

    def dependencies_keyword(self, later: str) -> str:
        return "dependencies" if "dependencies" in self.keywords else later

    def same_as(self, other: "Node") -> bool:
        """Whether both are written alike, with all that they refer to."""
        if self.root is other.root:
            return self.place == other.place
        if self.root.draft is not other.root.draft or self.text != other.text:
            return False
        return b'"$ref"' not in self.text or self.root.node.text == other.root.node.text

    @cached_property
    def text(self) -> bytes:
        return orjson.dumps(self.raw, option=orjson.OPT_SORT_KEYS)

    @cached_property
    def items(self) -> "Node | None":
        """The schema of all items after those of the prefix."""
        if self.root.draft.number < 20 and isinstance(self.keywords.get("items"), list):
            return self._one("additionalItems")
        return self._one("items")

    @cached_property
    def unevaluated_items(self) -> "Node | None":
        return self._one("unevaluatedItems", 19)

    @cached_property
    def contains(self) -> "Node | None":
        return self._one("contains", 6)

    @cached_property
    def bounds(self) -> tuple[tuple[float, bool] | None, tuple[float, bool] | None]:
        """The least and the greatest number, each with whether it is itself left out."""
        return self._bound("minimum", "exclusiveMinimum"), self._bound(
            "maximum", "exclusiveMaximum"
        )

    def _bound(self, inclusive: str, exclusive: str) -> tuple[float, bool] | None:
        value, beyond = self.keywords.get(inclusive), self.keywords.get(exclusive)
        if isinstance(beyond, bool):
            return None if value is None else (value, beyond)
        if value is None:
            return None if beyond is None else (beyond, True)
        if beyond is None:
            return value, False
        tighter = beyond >= value if inclusive == "minimum" else beyond <= value
        return (beyond, True) if tighter else (value, False)


@cache
def any_string() -> Node:
    """The schema of what a property's name can be."""
    return Root(read_schema({"type": "string"})).node
