"""What people write themselves to get MQTT into a database, in as few lines: for compare.py to run as processes.

    python tests/benchmarks/usual.py {drain,naive,batching} MQTT_PORT INFLUX_URL DATABASE [--count N]

`drain` counts messages and says so after N; `naive` writes each message before the next; `batching` hands it to
influxdb-client's own batches. All have a persistent session and acknowledge as paho does by itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from influxdb_client.domain.write_precision import WritePrecision
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TAGS = ("hub", "sensor", "entrance")
FIELDS = ("direction", "persons", "speed_m_s", "length_m", "confidence", "clock", "role", "seq")


def points(payload: bytes) -> list[Point]:
    message = json.loads(payload)
    found = []
    for event in message["events"]:
        point = Point("passage").tag("unit", message["unit"]).field("epoch", message["epoch"])
        for name in TAGS:
            point.tag(name, event[name])
        for name in FIELDS:
            point.field(name, event[name])
        found.append(point.time(event["t_ns"], WritePrecision.NS))  # type: ignore[arg-type]  # its constants are strings
    return found


def writer(kind: str, url: str, database: str) -> Callable[[bytes], None]:
    options = SYNCHRONOUS if kind == "naive" else WriteOptions(batch_size=1000, flush_interval=100)
    api = InfluxDBClient(url=url, token="", org="").write_api(write_options=options)
    return lambda payload: api.write(bucket=database, record=points(payload))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("drain", "naive", "batching"))
    parser.add_argument("mqtt_port", type=int)
    parser.add_argument("influx_url")
    parser.add_argument("database")
    parser.add_argument("--count", type=int, default=0)
    given = parser.parse_args()
    write = None if given.kind == "drain" else writer(given.kind, given.influx_url, given.database)
    taken = 0

    def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
        nonlocal taken
        taken += 1
        if write is not None:
            write(message.payload)
        elif taken == given.count:
            print("done", flush=True)

    client = Client(CallbackAPIVersion.VERSION2, given.kind, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("foyer/v1/+/+/events", 1)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it so
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = 1000
    client.connect("127.0.0.1", given.mqtt_port, clean_start=False, properties=properties)
    client.loop_forever()


if __name__ == "__main__":
    main()
