"""Random values that are likely to be valid under a schema, and what a schema names of them."""

import random
import re
from typing import Any

NAMES = ("a", "b", "ab", "c")
UNNAMED = "zz"
TYPES = ("null", "boolean", "integer", "number", "string", "object", "array")

VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 3, 4, -1, 1.5, 0.5, 2.0, 6, "", "a", "b", "ab", "abc", "zz",
    [], [1], ["a", 1], {}, {"a": 1}, {"a": "a", "b": 2}, {"zz": 1},
]  # fmt: skip


class Values:
    """Values that are likely to be valid under a schema."""

    def __init__(self, rng: random.Random, document: dict[str, Any]) -> None:
        self.rng = rng
        self.document = document

    def value(self, raw: Any, depth: int = 4) -> Any:
        rng = self.rng
        if not isinstance(raw, dict) or depth <= 0 or rng.random() < 0.05:
            return rng.choice(VALUES)
        raw = self.followed(raw)
        if "const" in raw:
            return raw["const"]
        if "enum" in raw:
            return rng.choice(raw["enum"])
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in raw and rng.random() < 0.7:
                rest = {key: value for key, value in raw.items() if key != keyword}
                chosen = rng.choice(raw[keyword])
                chosen = self.followed(chosen) if isinstance(chosen, dict) else {}
                return self.value(_merged(rest, chosen), depth)
        types = raw.get("type", self.implied(raw))
        kind = rng.choice(types) if isinstance(types, list) else types
        return self.of(kind, raw, depth)

    def followed(self, raw: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in raw:
            found: Any = self.document
            for step in raw["$ref"].split("/")[1:]:
                found = found[step]
            raw = found if isinstance(found, dict) else {}
        return raw

    def implied(self, raw: dict[str, Any]) -> str:
        if {"properties", "required", "patternProperties", "additionalProperties"} & {*raw}:
            return "object"
        return "array" if {"items", "prefixItems", "contains"} & {*raw} else self.rng.choice(TYPES)

    def of(self, kind: str, raw: dict[str, Any], depth: int) -> Any:
        rng = self.rng
        if kind == "object":
            return self.object(raw, depth)
        if kind == "array":
            return self.array(raw, depth)
        if kind in ("integer", "number"):
            least = raw.get("minimum", raw.get("exclusiveMinimum", -1))
            step = raw.get("multipleOf", rng.choice([0.5, 1]) if kind == "number" else 1)
            found = (least // step + rng.randrange(4)) * step
            return int(found) if found == int(found) and rng.random() < 0.9 else found
        same = [value for value in VALUES if _is(value, kind)]
        return rng.choice(same)

    def object(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        rng, own = self.rng, raw.get("properties", {})
        names = {*raw.get("required", ())}
        names |= {name for name in own if rng.random() < 0.5}
        names |= {name for name in (*NAMES, UNNAMED) if rng.random() < 0.15}
        made = {}
        for name in names:
            schema = own.get(name, raw.get("additionalProperties", True))
            made[name] = self.value(schema, depth - 1)
        return made

    def array(self, raw: dict[str, Any], depth: int) -> list[Any]:
        items = raw.get("items", True)
        prefix = raw.get("prefixItems", items if isinstance(items, list) else [])
        rest = raw.get("additionalItems", True) if isinstance(items, list) else items
        count = self.rng.randrange(raw.get("minItems", 0), raw.get("minItems", 0) + 3)
        schemas = [*prefix, *[self.rng.choice([rest, raw.get("contains", rest)])] * count][:count]
        return [self.value(schema, depth - 1) for schema in schemas]


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    made = {**one, **other}
    for key in ("properties", "required"):
        if key in one and key in other:
            both = one[key], other[key]
            made[key] = {**both[0], **both[1]} if key == "properties" else [*both[0], *both[1]]
    return made


def _is(value: Any, kind: str) -> bool:
    types = {"null": type(None), "boolean": bool, "string": str}
    return type(value) is types[kind]


class Names:
    """Whether a value has a property that the schema names nowhere for objects at its place."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.follow = Values(random.Random(0), document).followed

    def unnamed(self, value: Any, schemas: list[Any]) -> bool:
        here = self.in_place(schemas)
        if isinstance(value, dict):
            return any(
                (name != UNNAMED and not self.names(name, here))
                or self.unnamed(child, self.below(here, name))
                for name, child in value.items()
            )
        if isinstance(value, list):
            return any(
                self.unnamed(child, self.items(here, index)) for index, child in enumerate(value)
            )
        return False

    def in_place(self, schemas: list[Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        waiting = list(schemas)
        while waiting:
            raw = waiting.pop()
            if not isinstance(raw, dict) or any(raw is other for other in found):
                continue
            found.append(raw)
            if "$ref" in raw:
                waiting.append(self.follow({"$ref": raw["$ref"]}))
            for keyword in ("anyOf", "oneOf", "allOf"):
                waiting += raw.get(keyword, [])
            waiting += [raw.get(keyword) for keyword in ("not", "if", "then", "else")]
            for keyword in ("dependentSchemas", "dependencies"):
                waiting += raw.get(keyword, {}).values()
        return found

    def names(self, name: str, here: list[dict[str, Any]]) -> bool:
        return any(
            name in raw.get("properties", {})
            or name in raw.get("required", [])
            or any(other is not False for other in self.below([raw], name) if other is not None)
            or any(
                name == own or (isinstance(needed, list) and name in needed)
                for keyword in ("dependencies", "dependentRequired", "dependentSchemas")
                for own, needed in raw.get(keyword, {}).items()
            )
            for raw in here
        )

    def below(self, here: list[dict[str, Any]], name: str) -> list[Any]:
        found: list[Any] = []
        for raw in here:
            named = [raw["properties"][name]] if name in raw.get("properties", {}) else []
            for pattern, child in raw.get("patternProperties", {}).items():
                named += [child] if re.search(pattern, name) else []
            found += named or [raw.get("additionalProperties")]
        if not any(raw is not None for raw in found):
            found = [raw.get("unevaluatedProperties") for raw in here]
        return found

    def items(self, here: list[dict[str, Any]], index: int) -> list[Any]:
        found: list[Any] = []
        for raw in here:
            items = raw.get("items")
            prefix = items if isinstance(items, list) else raw.get("prefixItems", [])
            rest = raw.get("additionalItems") if isinstance(items, list) else items
            found.append(prefix[index] if index < len(prefix) else rest)
            found.append(raw.get("contains"))
        if not any(raw is not None for raw in found):
            found = [raw.get("unevaluatedItems") for raw in here]
        return found
