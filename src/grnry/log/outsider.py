"""A client that reads partitions without being a member of any group."""

import logging

from confluent_kafka import Consumer as Client

from grnry.log.cluster import Cluster, Conf

logger = logging.getLogger(__name__)


def outsider(cluster: Cluster | str, name: str, more: Conf | None = None) -> Client:
    """It sees what transactions have committed, and is told where a partition ends."""
    return Client(
        {
            **Cluster.at(cluster).conf(),
            "client.id": name,
            "group.id": name,  # wanted by the library, told to nobody
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
            **(more or {}),
        },
        logger=logger,
    )
