"""What docs/how-to/persisters.md tells is run as it stands."""

from tests.how_to import blocks, run
from tests.running import Granary

PAGE = "persisters.md"


def test_the_walk(granary: Granary) -> None:
    make, start, fails, change, replicas, over_http = blocks(PAGE)
    run(make, granary)
    said = run(start, granary)
    assert "The persister of 'calls' is RUNNING" in said
    assert "The persister of 'calls' is STOPPED" in said
    said = run(fails, granary)
    assert "Consuming 32 partitions." in said
    assert "RUNNING" in run(change, granary)
    assert "RUNNING" in run(replicas, granary)
    answer = run(over_http.replace("http://127.0.0.1:8080", granary.said["api"]), granary)
    assert '"eventstore.batchSize":"1000"' in answer
    granary.do("event-type", "delete", "calls")
