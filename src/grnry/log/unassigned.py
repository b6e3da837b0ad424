"""Which partitions of a topic nobody in a group has."""

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from grnry.log.cluster import Cluster
from grnry.log.records import LogAway
from grnry.log.refusals import result

ASK_SECONDS = 3.0


def unassigned(cluster: Cluster, group: str, topic: str) -> frozenset[int] | None:
    """Those that no member has; None while the group is at sharing them out.

    By a client of the moment, which costs nothing later. Raises LogAway where no broker answers.
    """
    client = AdminClient({**cluster.conf(), "client.id": "grnry-unassigned", "log_level": 0})
    try:
        asked = client.describe_consumer_groups([group], request_timeout=ASK_SECONDS)
        found = result(asked[group])
        known = client.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
    except KafkaException as error:
        raise LogAway(str(error.args[0].str())) from error
    if found.state != ConsumerGroupState.STABLE or known.error is not None:
        return None
    held = {
        one.partition
        for member in found.members
        for one in (member.assignment.topic_partitions if member.assignment else ())
        if one.topic == topic
    }
    return frozenset(known.partitions.keys() - held)
