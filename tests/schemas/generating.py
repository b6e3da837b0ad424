"""Random schemas, and random changes of them."""

import random
from collections.abc import Callable
from typing import Any

from tests.schemas.values import NAMES, TYPES, VALUES

PATTERNS = ("^a", "b$", "^[a-c]+$")

Raw = dict[str, Any] | bool


class Schemas:
    """Schemas of one draft; `refs` are the definitions that they may refer to."""

    def __init__(self, rng: random.Random, *, modern: bool, refs: int = 2) -> None:
        self.rng = rng
        self.modern = modern
        self.refs = refs

    def document(self) -> dict[str, Any]:
        root = self.schema(3)
        while not isinstance(root, dict):
            root = self.schema(3)
        if "$ref" in root:
            root = {"allOf": [root]}
        root["$defs" if self.modern else "definitions"] = {
            f"d{at}": self.definition() for at in range(self.refs)
        }
        uri = "https://json-schema.org/draft/2020-12/schema"
        root["$schema"] = uri if self.modern else "http://json-schema.org/draft-07/schema#"
        return root

    def definition(self) -> Raw:
        """A schema whose references are below a property or an item, so that it ends."""
        depth = self.rng.randrange(2)
        if not depth:
            return self.leaf(-1)
        return self.object(depth) if self.rng.random() < 0.5 else self.array(depth)

    def schema(self, depth: int) -> Raw:
        if depth <= 0 or self.rng.random() < 0.25:
            return self.leaf(depth)
        makers: list[Callable[[int], Raw]] = [self.object, self.object, self.array, self.combined]
        made: Raw = makers[self.rng.randrange(len(makers))](depth)
        if isinstance(made, dict) and self.rng.random() < 0.2:
            extra = self.schema(depth - 1)
            if isinstance(extra, dict) and (self.modern or not {"$ref"} & {*extra, *made}):
                made = {**extra, **made}
        return made

    def leaf(self, depth: int) -> Raw:
        rng = self.rng
        kind = rng.randrange(10)
        if kind == 0:
            plain: list[Raw] = [True, True, False, {}]
            return rng.choice(plain)
        if kind == 1:
            return {"enum": rng.sample(VALUES, rng.randrange(1, 4))}
        if kind == 2:
            return {"const": rng.choice(VALUES)}
        if kind == 3 and depth >= 0 and self.refs:
            name = "$defs" if self.modern else "definitions"
            return {"$ref": f"#/{name}/d{rng.randrange(self.refs)}"}
        if kind in (4, 5):
            return {"type": rng.choice(["integer", "number"]), **self.number()}
        if kind in (6, 7):
            return {"type": "string", **self.string()}
        types = rng.sample(TYPES, rng.randrange(1, 3))
        return {"type": types if len(types) > 1 else types[0]}

    def some(self, options: dict[str, Callable[[], Any]], chance: float = 0.3) -> dict[str, Any]:
        return {name: make() for name, make in options.items() if self.rng.random() < chance}

    def number(self) -> dict[str, Any]:
        def near() -> float:
            return self.rng.choice([-1, 0, 1, 1.5, 2, 3])

        return self.some(
            {
                "minimum": near,
                "maximum": lambda: near() + 2,
                "exclusiveMinimum": near,
                "exclusiveMaximum": lambda: near() + 2,
                "multipleOf": lambda: self.rng.choice([0.5, 1, 2, 3]),
            }
        )

    def string(self) -> dict[str, Any]:
        return self.some(
            {
                "minLength": lambda: self.rng.randrange(3),
                "maxLength": lambda: self.rng.randrange(1, 4),
                "pattern": lambda: self.rng.choice(PATTERNS),
            }
        )

    def object(self, depth: int) -> Raw:
        rng = self.rng

        def below() -> Raw:
            return self.schema(depth - 1)

        def names() -> list[str]:
            return rng.sample(NAMES, rng.randrange(1, 3))

        options: dict[str, Callable[[], Any]] = {
            "type": lambda: "object",
            "properties": lambda: {name: below() for name in names()},
            "required": names,
            "additionalProperties": lambda: rng.choice([False, False, below()]),
            "patternProperties": lambda: {rng.choice(PATTERNS): below()},
            "minProperties": lambda: rng.randrange(3),
            "maxProperties": lambda: rng.randrange(1, 4),
            "propertyNames": lambda: rng.choice([{"maxLength": 1}, {"enum": ["a", "b", "zz"]}]),
        }
        if self.modern:
            options["dependentRequired"] = lambda: {rng.choice(NAMES): names()}
            options["dependentSchemas"] = lambda: {rng.choice(NAMES): below()}
            options["unevaluatedProperties"] = lambda: rng.choice([False, below()])
        else:
            options["dependencies"] = lambda: {rng.choice(NAMES): rng.choice([names(), below()])}
        made = self.some(options, 0.2)
        made |= self.some({"type": options["type"], "properties": options["properties"]}, 0.8)
        return made

    def array(self, depth: int) -> Raw:
        rng = self.rng

        def below() -> Raw:
            return self.schema(depth - 1)

        def many() -> list[Raw]:
            return [below() for _ in range(rng.randrange(1, 3))]

        options: dict[str, Callable[[], Any]] = {
            "minItems": lambda: rng.randrange(3),
            "maxItems": lambda: rng.randrange(1, 4),
            "uniqueItems": lambda: True,
            "contains": below,
        }
        if self.modern:
            options |= {
                "prefixItems": many,
                "items": below,
                "minContains": lambda: rng.randrange(3),
                "maxContains": lambda: rng.randrange(1, 3),
                "unevaluatedItems": lambda: rng.choice([False, below()]),
            }
        else:
            options |= {"items": lambda: rng.choice([below(), many()]), "additionalItems": below}
        return {"type": "array", **self.some(options)}

    def combined(self, depth: int) -> Raw:
        rng = self.rng
        keyword = rng.choice(["anyOf", "anyOf", "oneOf", "oneOf", "allOf", "not", "if"])
        if keyword == "not":
            return {"not": self.schema(depth - 1)}
        if keyword == "if":
            return {name: self.schema(depth - 1) for name in ("if", "then", "else")}
        return {keyword: [self.schema(depth - 1) for _ in range(rng.randrange(1, 4))]}

    def changed(self, raw: Any, chance: float = 0.15) -> Any:
        """The same with some changes; most are small, and many let more through."""
        rng = self.rng
        if not isinstance(raw, dict):
            return self.schema(1) if rng.random() < chance / 2 else raw
        if "$ref" not in raw and "$schema" not in raw and rng.random() < chance / 2:
            keyword = rng.choice(["anyOf", "oneOf", "allOf"])
            return {keyword: [raw, *([self.schema(1)] if rng.random() < 0.7 else [])]}
        return {
            key: self._value(key, value, chance)
            for key, value in raw.items()
            if key in ("$schema", "$ref", "$defs", "definitions") or rng.random() > chance / 2
        }

    def _value(self, key: str, value: Any, chance: float) -> Any:
        rng = self.rng
        if key in ("$schema", "$ref", "const", "pattern"):
            return value
        if key == "uniqueItems":
            return value
        if isinstance(value, bool) or (isinstance(value, dict) and key not in MAPS):
            return self.changed(value, chance)
        if isinstance(value, dict):
            return self._named(key, value, chance)
        if isinstance(value, list) and key in LISTS:
            return [self.changed(item, chance) for item in value]
        if rng.random() > chance:
            return value
        if key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            return value + rng.choice([-1, -0.5, 1, 1])
        if isinstance(value, int | float):
            return max(value + rng.choice([-1, 1]), 1)
        if key == "enum":
            return [*value, *[item for item in VALUES[:2] if item not in value]]
        if key == "type" and isinstance(value, str):
            return "number" if value == "integer" else sorted({value, rng.choice(TYPES)})
        if key == "required" and len(value) > 1:
            return value[1:]
        return value

    def _named(self, key: str, value: dict[str, Any], chance: float) -> dict[str, Any]:
        rng, kept = self.rng, {}
        for name, child in value.items():
            if key in ("$defs", "definitions") or rng.random() > chance / 2:
                kept[name] = child if isinstance(child, list) else self.changed(child, chance)
        if key == "properties" and rng.random() < chance:
            kept.setdefault(rng.choice(NAMES), self.schema(1))
        return kept


MAPS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
MAPS |= {"dependencies", "dependentRequired"}
LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
