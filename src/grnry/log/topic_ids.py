"""Which topic of a name it is: one that is deleted and made again has another id."""

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from grnry.errors import NotFound
from grnry.log.cluster import Cluster
from grnry.log.records import LogAway
from grnry.log.refusals import result

ASK_SECONDS = 3.0


def topic_id(cluster: Cluster, topic: str) -> str | None:
    """Its id now; none where it is not there. By a client of the moment, which costs nothing later.

    Raises LogAway where no broker answers in time.
    """
    # Without callbacks, as a client that knows its owner stays until the collector comes by.
    client = AdminClient({**cluster.conf(), "client.id": "grnry-topic-id", "log_level": 0})
    try:
        asked = client.describe_topics(TopicCollection([topic]), request_timeout=ASK_SECONDS)
        return str(result(asked[topic]).topic_id)
    except NotFound:
        return None
    except KafkaException as error:
        raise LogAway(str(error.args[0].str())) from error
