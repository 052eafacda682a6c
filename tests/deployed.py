"""The broker as it is deployed, with an authority that is thrown away."""

from __future__ import annotations

import subprocess
from pathlib import Path

from servers import Mosquitto, free_port, program

DEPLOY = Path(__file__).parents[1] / "deploy"
SECRET = "throw-away"  # noqa: S105 - of a broker that lives as long as a test


def authority(folder: Path, *words: str) -> None:
    program("openssl")
    subprocess.run([DEPLOY / "authority", folder, *words], check=True, stdout=subprocess.DEVNULL)


class Deployed(Mosquitto):
    """Mosquitto under deploy/mosquitto/, with nothing changed but folders and ports. `port` is the one with TLS."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        super().__init__(folder)
        self.certificates = certificates
        self.local_port = free_port()

    def settings(self) -> list[str]:
        text = (DEPLOY / "mosquitto/foyer.conf").read_text(encoding="utf-8")
        acl = self.folder / "acl"
        acl.write_bytes((DEPLOY / "mosquitto/acl").read_bytes())
        acl.chmod(0o600)
        passwords = self.passwords({"collector.1": SECRET})
        for production, here in (
            ("/etc/mosquitto/foyer/acl", acl),
            ("/etc/mosquitto/foyer/passwords", passwords),
            ("/etc/mosquitto/foyer/", f"{self.certificates}/"),
            ("listener 8883\n", f"listener {self.port} 127.0.0.1\n"),
            ("listener 1883 127.0.0.1\n", f"listener {self.local_port} 127.0.0.1\n"),
        ):
            assert production in text
            text = text.replace(production, str(here))
        return text.splitlines()
