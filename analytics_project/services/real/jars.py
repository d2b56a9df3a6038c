"""The jars of Apache Kafka: resolved by Maven, compared with the checksums kept in the project."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from analytics_project.services.real.debian import require
from analytics_project.services.service import Report, ServiceError

RECIPE = Path(__file__).resolve().parents[3] / "deploy" / "kafka"
CHECKSUMS = RECIPE / "jars.sha256"


def ensure_jars(folder: Path, report: Report) -> None:
    """Have exactly the jars of the project's list in the folder; fetch them when they are not."""
    if checksums(folder) and checksums(folder) == expected():
        return
    require("maven", "mvn", report)
    report("Apache Kafka: fetching its jars (90 MB) from Maven Central")
    shutil.rmtree(folder, ignore_errors=True)
    fetch(folder)
    if not CHECKSUMS.exists():
        CHECKSUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in checksums(folder).items()))
    differing = sorted(dict(checksums(folder).items() ^ expected().items()))
    if differing:
        shutil.rmtree(folder)
        raise ServiceError(f"Apache Kafka: other jars than deploy/kafka/jars.sha256 says: {', '.join(differing)}")


def fetch(folder: Path) -> None:
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(RECIPE / "pom.xml")]
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    done = subprocess.run([*command, *goal], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"Apache Kafka: Maven cannot fetch its jars: {done.stdout.strip()[-500:]}")


def checksums(folder: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


def expected() -> dict[str, str]:
    if not CHECKSUMS.exists():
        return {}
    return {name: digest for digest, name in (line.split() for line in CHECKSUMS.read_text().splitlines())}
