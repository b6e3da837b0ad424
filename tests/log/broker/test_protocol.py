"""Bytes to values and back."""

import gzip
import struct
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.serial import entity_reader

from grnry.log.broker.protocol import apis, batches, codec, fetch, frames, produce, records
from grnry.log.broker.protocol.apis import APIS
from grnry.log.broker.protocol.errors import ErrorCode, MalformedRequestError, RequestError
from tests.log.broker.batch_maker import batch, checked, headers_of


def test_a_batch_is_checked_and_patched_and_its_crc_still_holds() -> None:
    data, headers = checked(batch(b"a", b"b"), batch(b"c"))
    batches.patch(data, headers, 40, 7)
    patched = headers_of(bytes(data))
    assert [(one.base_offset, one.leader_epoch) for one in patched] == [(40, 7), (42, 7)]
    assert [one.next_offset for one in patched] == [42, 43]
    assert len(batches.check(data, 1000)) == 2


@pytest.mark.parametrize("position", [5, 8, 11, 16, 17, 20, 22, 30, 60, 65])
def test_a_flipped_byte_is_refused(position: int) -> None:
    data = bytearray(batch(b"value"))
    data[position] ^= 0x55
    if position < 8:
        batches.check(memoryview(data), 1000)  # the base offset is ours to give
        return
    with pytest.raises(RequestError):
        batches.check(memoryview(data), 1000)


@given(st.integers(0, 200))
def test_a_batch_cut_short_is_refused(length: int) -> None:
    whole = batch(b"value" * 10)
    cut = memoryview(bytearray(whole[: min(length, len(whole) - 1)]))
    with pytest.raises(RequestError):
        batches.check(cut, 1000)


def test_what_clients_may_not_write_is_refused() -> None:
    def code_of(attributes: int) -> ErrorCode:
        with pytest.raises(RequestError) as caught:
            checked(batch(b"x", attributes=attributes))
        return caught.value.code

    assert code_of(batches.CONTROL) is ErrorCode.INVALID_RECORD
    assert code_of(batches.TRANSACTIONAL) is ErrorCode.INVALID_TXN_STATE
    with pytest.raises(RequestError) as caught:
        batches.check(memoryview(bytearray(batch(b"x" * 500))), 100)
    assert caught.value.code is ErrorCode.MESSAGE_TOO_LARGE


def test_a_stamped_batch_has_the_brokers_time() -> None:
    data, headers = checked(batch(b"a", time=5))
    batches.stamp(data, headers, 77)
    (header,) = batches.check(data, 1000)
    assert header.max_timestamp == 77
    assert records.first_since(data, 50) == (0, 77)


def test_the_first_record_since_a_time() -> None:
    plain = memoryview(batch(b"a", b"b", b"c", time=100))
    assert records.first_since(plain, 0) == (0, 100)
    assert records.first_since(plain, 101) == (1, 101)
    assert records.first_since(plain, 102) == (2, 102)
    assert records.first_since(plain, 103) is None


def test_the_first_record_since_a_time_in_a_packed_batch() -> None:
    plain = batch(b"a", b"b", b"c", time=100)
    head, body = bytearray(plain[:61]), gzip.compress(plain[61:])
    struct.pack_into(">i", head, 8, 49 + len(body))
    struct.pack_into(">h", head, 21, 1)
    assert records.first_since(memoryview(bytes(head) + body), 102) == (2, 102)
    struct.pack_into(">h", head, 21, 4)  # zstd can't be looked into: the batch's begin
    assert records.first_since(memoryview(bytes(head) + body), 102) == (0, 102)


def test_produce_is_read_and_answered() -> None:
    data = batch(b"x")
    frame = struct.pack(">hhi", -1, -1, 1000) + struct.pack(">ih1si", 1, 1, b"t", 1)
    frame += struct.pack(">ii", 3, len(data)) + data
    asked = produce.read(memoryview(bytearray(frame)), 0)
    assert (asked.acks, asked.transactional_id) == (-1, None)
    assert [(one.topic, one.partition, bytes(one.records)) for one in asked.partitions] == [
        ("t", 3, data)
    ]
    for version in range(3, 9):
        result = produce.PartitionResult("t", 3, ErrorCode.NONE, 12, -1, 4, "why")
        body = produce.write(version, [result])
        read = entity_reader(codec._schema(apis.PRODUCE, version, "response"))
        entity, end = read(body, 0)
        assert end == len(body)
        (partition,) = entity.responses[0].partition_responses
        assert (partition.index, partition.base_offset) == (3, 12)


def test_fetch_is_answered_in_every_version() -> None:
    data = batch(b"x")
    for version in range(4, 12):
        results = [
            fetch.FetchResult("t", 0, ErrorCode.NONE, 9, 2, data),
            fetch.FetchResult("t", 1, ErrorCode.OFFSET_OUT_OF_RANGE),
            fetch.FetchResult("u", 0, ErrorCode.NONE, 1, 0),
        ]
        body = b"".join(fetch.write(version, results))
        read = entity_reader(codec._schema(apis.FETCH, version, "response"))
        entity, end = read(body, 0)
        assert end == len(body)
        first, second = entity.responses[0].partitions
        assert (first.high_watermark, first.records) == (9, data)
        assert second.error_code.value == ErrorCode.OFFSET_OUT_OF_RANGE
        assert entity.responses[1].topic == "u"


@pytest.mark.parametrize("key", [key for key in apis.APIS if key not in {0, 1}])
def test_the_table_of_versions_agrees_with_kafkas_definitions(key: int) -> None:
    api = apis.APIS[key]
    for version in range(api.lowest, api.highest + 1):
        for kind in ("request", "response"):
            assert codec._schema(key, version, kind).__flexible__ == api.is_flexible(version)


@pytest.mark.parametrize("version", range(13))
def test_metadata_is_written_for_every_version(version: int) -> None:
    partition = {
        "error_code": 0,
        "partition_index": 3,
        "leader_id": 0,
        "leader_epoch": 5,
        "replica_nodes": (0,),
        "isr_nodes": (0,),
    }
    topic = {"error_code": 0, "name": "t", "topic_id": None, "partitions": [partition]}
    brokers = [{"node_id": 0, "host": "h", "port": 1}]
    body = codec.encode(apis.METADATA, version, {"brokers": brokers, "topics": [topic]})
    entity, end = entity_reader(codec._schema(apis.METADATA, version, "response"))(body, 0)
    assert end == len(body)
    assert entity.topics[0].partitions[0].partition_index == 3
    assert entity.brokers[0].host == "h"


@given(st.binary(max_size=200), st.sampled_from([key for key in apis.APIS if key > 1]))
def test_random_bytes_are_a_malformed_request_or_none(data: bytes, key: int) -> None:
    api = apis.APIS[key]
    for version in (api.lowest, api.highest):
        with suppress(MalformedRequestError):
            codec.decode(key, version, memoryview(data), 0)


@given(st.binary(max_size=200))
def test_random_bytes_do_not_break_the_hand_written_readers(data: bytes) -> None:
    frame = memoryview(data)
    for read in (
        lambda: produce.read(frame, 0),
        lambda: fetch.read(11, frame, 0),
        lambda: fetch.read(4, frame, 0),
        lambda: frames.read_header(frame, flexible=True),
        lambda: frames.api_of(frame),
    ):
        with suppress(MalformedRequestError):
            read()


def _uvarint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize(("api_key", "version"), [(3, 12), (3, 8), (11, 5)])
@pytest.mark.parametrize("count", [1 << 20, (1 << 31) - 1, 1 << 34])
def test_no_memory_is_taken_for_what_is_only_announced(
    api_key: int, version: int, count: int
) -> None:
    """In a process of its own, as kio's reader ends it where the memory is not there."""
    flexible = APIS[api_key].is_flexible(version)
    body = _uvarint(count) if flexible else struct.pack(">i", min(count, (1 << 31) - 1))
    program = (
        "import resource, sys\n"
        "from grnry.log.broker.protocol import codec\n"
        "from grnry.log.broker.protocol.errors import MalformedRequestError\n"
        "codec._schema(int(sys.argv[1]), int(sys.argv[2]), 'request')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "frame = memoryview(bytes.fromhex(sys.argv[3]))\n"
        "try: codec.decode(int(sys.argv[1]), int(sys.argv[2]), frame, 0)\n"
        "except MalformedRequestError: print('malformed')\n"
    )
    given = [str(api_key), str(version), (body + bytes(2)).hex()]
    done = subprocess.run(
        [sys.executable, "-c", program, *given], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "malformed\n"), done.stderr
