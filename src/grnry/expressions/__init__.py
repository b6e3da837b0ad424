"""The expressions that read an event: a part of the Spring Expression Language.

    expression = compile_expression("payload.items[0].id ?: headers['id']")
    expression({"items": [{"id": 7}]}, {})  # 7

This package stands alone: it imports nothing of the rest of the platform.
"""

from grnry.expressions.errors import ExpressionError, ExpressionsError, ExpressionSyntaxError
from grnry.expressions.expression import Expression, compile_expression

__all__ = [
    "Expression",
    "ExpressionError",
    "ExpressionSyntaxError",
    "ExpressionsError",
    "compile_expression",
]
