"""What records should leave in a live segment: the last of each id, unless it deletes. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.faults.judging import FAILED, REPLAYED, SUPERSEDED, Expected, Letter, Place
from tests.faults.live_ids import Id, name_of
from tests.faults.live_records import Made, told
from tests.faults.load import Written


def expected_of(
    made: Sequence[Made], written: Sequence[Written], letters: Sequence[Letter]
) -> Expected:
    """By the order of the log, which is the truth."""
    model = _Model(made, {letter.place: letter for letter in letters})
    for one in sorted(written, key=lambda each: (each.partition, each.offset)):
        model.take(one)
    return model.expected


class _Model:
    """Takes records in the order of their partitions; all of an id are in the same one."""

    def __init__(self, made: Sequence[Made], letters: Mapping[Place, Letter]) -> None:
        self._made = made
        self._letters = letters
        self._failed: dict[Id, list[Place]] = defaultdict(list)
        self.expected = Expected()

    def take(self, one: Written) -> None:
        made, place = self._made[one.number], (one.partition, one.offset)
        letter = self._letters.get(place)
        if made.is_poison or made.refusal:
            self.expected.reasons[place] = made.refusal
        is_refused = letter is not None and bool(made.refusal) and made.refusal in letter.reason
        if not made.is_poison and not is_refused:
            self._write(one, made)
            return
        self.expected.letters[place] = one
        self.expected.states[place] = FAILED
        if is_refused and letter is not None and letter.state == REPLAYED:
            self.expected.states[place] = REPLAYED
            self._write(one, made)
            self.expected.copies -= 1  # a dead letter is what it leaves
        elif made.id is not None:
            self._failed[made.id].append(place)

    def _write(self, one: Written, made: Made) -> None:
        """A write outdates what failed before it."""
        expected = self.expected
        assert made.id is not None
        for place in self._failed.pop(made.id, ()):
            expected.states[place] = SUPERSEDED
        name = name_of(made.id)
        expected.copies += name in expected.rows
        expected.rows.pop(name, None)
        expected.gone.pop(name, None)
        if made.content is None:
            expected.copies += 1
            expected.gone[name] = one
        else:
            expected.rows[name] = one
            expected.contents[name] = told(made.content)
