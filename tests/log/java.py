"""Kafka's own programs, from Maven's repository: the broker, the Java client, the tools.

Maven brings the jars into its own cache on the first run. Where Java or Maven is missing the tests
that need them are skipped at home and fail in CI.
"""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

KAFKA = "4.1.1"
_LOG4J = "2.25.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{_LOG4J}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId>
      <version>{_LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""
_LOG4J_QUIET = "-Dlog4j2.level=ERROR"

needs_java = pytest.mark.skipif(
    (shutil.which("java") is None or shutil.which("mvn") is None) and "CI" not in os.environ,
    reason="Java or Maven is not installed",
)


@functools.cache
def class_path() -> str:
    """The jars of Kafka, by their places in Maven's repository."""
    with tempfile.TemporaryDirectory() as folder:
        pom, found = Path(folder, "pom.xml"), Path(folder, "class-path")
        pom.write_text(_POM)
        goal = "dependency:build-classpath"
        words = ["mvn", "-q", "-B", "-f", str(pom), goal, f"-Dmdep.outputFile={found}"]
        offline = subprocess.run([*words, "-o"], capture_output=True, timeout=300, check=False)
        if offline.returncode:
            done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stdout
        return found.read_text()


def command(main: str, *arguments: str, memory: str = "256m") -> list[str]:
    """A command line that runs one of Kafka's classes."""
    # A quick start is worth more than speed: most of these live for a second.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return ["java", f"-Xmx{memory}", *quick, _LOG4J_QUIET, "-cp", class_path(), main, *arguments]


def run(main: str, *arguments: str, given: str = "", seconds: float = 120) -> str:
    """What one of Kafka's tools prints; fails where it fails."""
    done = subprocess.run(
        command(main, *arguments),
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{main}: {done.stdout}{done.stderr}"
    return done.stdout
