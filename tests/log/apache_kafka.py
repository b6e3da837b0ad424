"""Apache Kafka, one node in KRaft mode, with a plain and a protected listener."""

import signal
import subprocess
from pathlib import Path

from grnry.log.cluster import Cluster
from tests.conftest import free_port
from tests.log.broker.running import wait_until
from tests.log.certificates import Certificates
from tests.log.java import command, run

PASSWORD = "for-tests"
_CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAIN://127.0.0.1:{plain},SAFE://127.0.0.1:{safe},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAIN://127.0.0.1:{advertised},SAFE://127.0.0.1:{safe}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=\
 org.apache.kafka.common.security.plain.PlainLoginModule required user_grnry="{password}";
listener.name.safe.ssl.keystore.type=PEM
listener.name.safe.ssl.keystore.location={keystore}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.retention.check.interval.ms=500
log.initial.task.delay.ms=100
log.segment.delete.delay.ms=100
"""


class ApacheKafka:
    """A broker that tests may kill and start again."""

    name = "kafka"

    def __init__(
        self, folder: Path, certificates: Certificates, advertised: int | None = None
    ) -> None:
        """`advertised`: the port of a proxy that clients come by to the plain listener."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._certificates = certificates
        self.port, self._safe_port = free_port(), free_port()
        keystore = folder / "keystore.pem"
        keystore.write_text(certificates.key.read_text() + certificates.certificate.read_text())
        self._properties = folder / "server.properties"
        self._properties.write_text(
            _PROPERTIES.format(
                controller=free_port(),
                plain=self.port,
                advertised=advertised or self.port,
                safe=self._safe_port,
                password=PASSWORD,
                keystore=keystore,
                data=folder / "data",
            )
        )
        properties = str(self._properties)
        run("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", properties)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def plain(self) -> Cluster:
        return Cluster(f"127.0.0.1:{self.port}")

    @property
    def safe(self) -> Cluster:
        """The listener that asks for a password, encrypted."""
        return Cluster(
            f"127.0.0.1:{self._safe_port}",
            "SASL_SSL",
            username="grnry",
            password=PASSWORD,
            ca=str(self._certificates.authority),
        )

    def start(self) -> None:
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command("kafka.Kafka", str(self._properties), memory="512m"),
                stdout=output,
                stderr=output,
            )
        wait_until(self._is_ready, 90)

    def _is_ready(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        assert self._process is not None
        said = self._folder / "output"
        assert self._process.poll() is None, said.read_text()[-3000:]
        try:
            client = AdminClient({"bootstrap.servers": self.plain.bootstrap, "log_level": 0})
            return len(client.list_topics(timeout=1).brokers) == 1
        except KafkaException:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
