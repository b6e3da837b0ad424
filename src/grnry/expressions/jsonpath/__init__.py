"""JSON paths as Jayway's JsonPath reads them, compiled once and evaluated in bounded steps."""

from grnry.expressions.jsonpath.evaluation import JsonPath, compile_path

__all__ = ["JsonPath", "compile_path"]
