"""No more is in hand than there is room for."""

import asyncio

import pytest

from grnry.events.room import NoRoom, Room


def test_what_finds_no_room_is_refused_until_some_is_given_back() -> None:
    room = Room(100)
    room.take(60)
    with pytest.raises(NoRoom):
        room.take(41)
    room.take(40)
    room.give_back(60)
    room.take(60)
    assert room.used == 100


def test_what_is_larger_than_all_fits_alone() -> None:
    room = Room(100)
    room.take(500)
    with pytest.raises(NoRoom):
        room.take(1)
    room.give_back(500)
    room.take(1)


def test_who_waits_gets_room_or_is_refused() -> None:
    async def go() -> None:
        room = Room(100)
        room.take(100)
        waiting = [asyncio.create_task(room.wait_and_take(50)) for _ in range(2)]
        await asyncio.sleep(0)
        room.give_back(50)
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert (len(done), room.used) == (1, 100)
        room.give_back(50)
        await asyncio.gather(*left)
        with pytest.raises(NoRoom):
            await room.wait_and_take(1, seconds=0.01)
        assert room.used == 100

    asyncio.run(go())
