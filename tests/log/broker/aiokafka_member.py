"""A member of the group "pair" by aiokafka, in a process of its own."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]


async def read(address: str) -> None:
    consumer = AIOKafkaConsumer(
        "pair",
        bootstrap_servers=address,
        group_id="pair",
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    async for one in consumer:
        sys.stdout.write(f"{one.value.decode()}\n")


asyncio.run(read(sys.argv[1]))
