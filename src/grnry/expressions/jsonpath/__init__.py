"""JSON paths as Jayway's JsonPath reads them, compiled once and evaluated in bounded steps."""

from grnry.expressions.jsonpath.evaluation import JsonPath, MissingFault, compile_path

__all__ = ["JsonPath", "MissingFault", "compile_path"]
