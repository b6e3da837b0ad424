"""The schemas of live segments: JSON Schema, its changes, its columns, and its records.

    first = live_segment_schema('{"type": "object", "properties": {"id": {"type": "integer"}}}')
    breaks(live_segment_schema(changed), [first])  # () where each record stays valid
    table_of([first]).columns                      # (Column(name='id', type=BIGINT, …),)
    RecordValidator(first).problem({"id": "x"})    # '#/id: "x" is not of type "integer"'

This package stands alone: it imports nothing of the rest of the platform.
"""

from grnry.schemas.columns import Column, ColumnType, Default, columns_of
from grnry.schemas.compatibility import Break, breaks
from grnry.schemas.document import JsonSchema
from grnry.schemas.errors import SchemaError, SchemaProblem
from grnry.schemas.formats import is_of
from grnry.schemas.live_segments import GivenSchema, given_schema, live_segment_schema
from grnry.schemas.tables import (
    AddColumn,
    Change,
    DropNotNull,
    SetDefault,
    Table,
    changes,
    table_of,
)
from grnry.schemas.validation import RecordValidator

__all__ = [
    "AddColumn",
    "Break",
    "Change",
    "Column",
    "ColumnType",
    "Default",
    "DropNotNull",
    "GivenSchema",
    "JsonSchema",
    "RecordValidator",
    "SchemaError",
    "SchemaProblem",
    "SetDefault",
    "Table",
    "breaks",
    "changes",
    "columns_of",
    "given_schema",
    "is_of",
    "live_segment_schema",
    "table_of",
]
