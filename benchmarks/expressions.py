"""How many times a second an expression reads an event, against a function written by hand.

python -m benchmarks expressions [--seconds 1]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import msgspec

from grnry.expressions import compile_expression

SAMPLE = "#safeJsonPath(#safeJsonPath(payload,'body'),'data[0].cid')?:'NO_CORRELATION_ID'"
OTHERS = (
    "payload.querystring",
    "headers['source'] + '-' + payload.timestamp",
    "payload.userAgent matches '.*Firefox.*' ? 'firefox' : 'other'",
    "#jsonPath(payload.body, '$.data[?(@.e == ''pv'')].cid')",
    "#dateTimeISOFormatterUTC('2021-11-21T08:46:47Z', 'yyyy-MM')",
)
HEADERS = {"source": "shop"}


def snowplow_event() -> dict[str, Any]:
    """An event of about 1 KB, most of it a JSON string."""
    data = {
        "e": "pv",
        "cid": "c-0b8f5b1e-6e55-4d2e",
        "url": "https://www.example.com/shop/category/product?id=12345&utm_source=news",
        "page": "Product page",
        "refr": "https://www.example.org/search?q=shop",
        "tv": "js-3.1.0",
        "aid": "shop",
        "tz": "Europe/Berlin",
        "lang": "de-DE",
        "res": "1920x1080",
        "vp": "1200x800",
        "dtm": 1637484407000,
        "vid": 3,
        "sid": "d1f5b1e0-6e55-4d2e-8d8a-1c7d3a1b2c3d",
        "duid": "a1f5b1e0-6e55-4d2e-8d8a-1c7d3a1b2c3d",
    }
    schema = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
    return {
        "body": msgspec.json.encode({"schema": schema, "data": [data]}).decode(),
        "querystring": None,
        "ipAddress": "192.0.2.17",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:94.0) Gecko/20100101 Firefox/94.0",
        "timestamp": 1637484407123,
        "path": "/com.snowplowanalytics.snowplow/tp2",
        "hostname": "collector.example.com",
        "contentType": "application/json; charset=UTF-8",
        "networkUserId": "5b0a2d8e-3a4f-4c6b-9d1e-2f3a4b5c6d7e",
        "headers": ["Accept: */*", "Connection: keep-alive", "DNT: 1"],
    }


def by_hand(payload: Any, headers: Any) -> Any:
    """What the sample does, written as Python."""
    body = payload.get("body")
    try:
        document = msgspec.json.decode(body)
        found = document["data"][0]["cid"]
    except (msgspec.MsgspecError, LookupError, TypeError):
        found = None
    return found or "NO_CORRELATION_ID"


def rate(function: Callable[[Any, Any], Any], event: Any, seconds: float) -> float:
    """The best calls a second of five rounds."""
    best = 0.0
    for _ in range(5):
        calls, start = 0, time.perf_counter()
        end = start + seconds / 5
        while time.perf_counter() < end:
            for _ in range(1_000):
                function(event, HEADERS)
            calls += 1_000
        best = max(best, calls / (time.perf_counter() - start))
    return best


def main(argv: list[str]) -> None:
    arguments = argparse.ArgumentParser(prog="benchmarks expressions", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=1.0, help="time for each line")
    seconds = arguments.parse_args(argv).seconds
    event = snowplow_event()
    sample = compile_expression(SAMPLE)
    assert sample(event, HEADERS) == by_hand(event, HEADERS)
    size = len(msgspec.json.encode(event))
    baseline = rate(by_hand, event, seconds)
    measured = rate(sample, event, seconds)
    print(f"an event of {size} bytes, its body {len(event['body'])}")
    print(f"{measured:>12,.0f}/s  {SAMPLE}")
    print(f"{baseline:>12,.0f}/s  the same by hand; ratio {measured / baseline:.2f}")
    for text in OTHERS:
        print(f"{rate(compile_expression(text), event, seconds):>12,.0f}/s  {text}")
