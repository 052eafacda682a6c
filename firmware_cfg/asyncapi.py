"""The wire as documents for others: AsyncAPI 3 and JSON Schema, made from the models in `firmware_cfg.wire`.

`python -m firmware_cfg.asyncapi docs/wire` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from firmware_cfg.wire import ARGS_MODELS, BATCH_BYTES_MAX, CHANNEL_MODELS, VERSION, Channel

_SENDER: dict[Channel, str] = {
    "events": "unit",
    "health": "unit",
    "state": "unit",
    "reply": "unit",
    "recording": "unit",
    "ack": "collector",
    "cmd": "collector",
}


def json_schema() -> dict[str, Any]:
    """Every message as JSON Schema 2020-12 under `$defs`."""
    models = [*CHANNEL_MODELS.values(), *ARGS_MODELS]
    _, schema = models_json_schema([(model, "validation") for model in models], title="Foyer's messages", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def asyncapi() -> dict[str, Any]:
    """The channels and who sends on them, as AsyncAPI 3.0."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for channel, model in CHANNEL_MODELS.items():
        messages[model.__name__] = {
            "contentType": "application/json",
            "summary": (model.__doc__ or model.__name__).strip().splitlines()[0],
            "payload": {"$ref": f"messages.schema.json#/$defs/{model.__name__}"},
        }
        channels[channel] = {
            "address": f"foyer/v{VERSION}/{{hub}}/{{unit}}/{channel}",
            "parameters": {
                "hub": {"description": "the building's id"},
                "unit": {"description": "the unit's id, which is also its MQTT user name and client id"},
            },
            "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"}},
        }
        operations[f"{_SENDER[channel]}-sends-{channel}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "bindings": {"mqtt": {"qos": 1, "retain": channel == "state"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Foyer on the wire",
            "version": f"{VERSION}.0.0",
            "description": f"JSON over MQTT, QoS 1. A batch of events holds at most {BATCH_BYTES_MAX} bytes.",
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def documents() -> dict[str, str]:
    """File name -> text, ending in a line feed."""
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in (("asyncapi.json", asyncapi()), ("messages.schema.json", json_schema()))
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
