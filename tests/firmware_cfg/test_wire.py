import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware_cfg import asyncapi, wire

ROOT = Path(__file__).parents[2]
PASSAGE = {
    "seq": 1,
    "t_ns": 1_772_442_000_000_000_000,
    "clock": "synced",
    "kind": "passage",
    "sensor": "front-beams",
    "hub": "armley",
    "entrance": "front",
    "direction": "in",
    "persons": 1,
    "speed_m_s": 1.3,
    "length_m": None,
    "confidence": 0.97,
}
BATCH = {"v": 1, "unit": "armley-front", "epoch": "00112233aabbccdd", "sent_ns": 5, "events": [PASSAGE]}

ALIKE = {"clock": "synced", "kind": "passage", "sensor": "front-beams", "hub": "armley", "entrance": "front"}
RUN = ALIKE | {"seq": [1, 2], "t_ns": [5, 6], "direction": ["in", "out"], "length_m": [0.3, None]}
LONG = {"seq": list(range(1, 201)), "t_ns": list(range(200)), "direction": ["in"] * 200, "length_m": []}

NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True)


def test_a_batch_as_the_design_writes_it_is_read() -> None:
    batch = wire.EventBatch.model_validate_json(json.dumps(BATCH))
    assert isinstance(batch.events[0], wire.Passage)
    assert batch.events[0].confidence == pytest.approx(0.97)
    assert batch.events[0].role == "counting"


def test_fields_of_a_newer_unit_are_ignored() -> None:
    assert wire.EventBatch.model_validate_json(json.dumps(BATCH | {"colour": "red"})).unit == "armley-front"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"unit": "Armley Front"},
        {"unit": "-front"},
        {"epoch": "0123"},
        {"sent_ns": -1},
        {"sent_ns": "5"},
        {"events": []},
        {"runs": []},
        {"events": [PASSAGE] * (wire.BATCH_EVENTS_MAX + 1)},
        {"events": [PASSAGE | {"kind": "weather"}]},
        {"events": [PASSAGE | {"seq": 0}]},
        {"events": [PASSAGE | {"t_ns": 2**63}]},
        {"events": [PASSAGE | {"t_ns": 1.5}]},
        {"events": [PASSAGE | {"direction": "up"}]},
        {"events": [PASSAGE | {"persons": 0}]},
        {"events": [PASSAGE | {"confidence": 1.01}]},
        {"events": [PASSAGE | {"speed_m_s": float("nan")}]},
    ],
)
def test_what_the_contract_forbids_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wire.EventBatch.model_validate_json(json.dumps(BATCH | change))


def test_a_run_is_passages_in_columns() -> None:
    message = {key: value for key, value in BATCH.items() if key != "events"}
    batch = wire.EventBatch.model_validate_json(json.dumps(message | {"runs": [RUN]}))
    (run,) = batch.runs
    assert (run.direction, run.length_m, run.persons, run.role) == (["in", "out"], [0.3, None], [], "counting")
    whole = wire.EventBatch.model_validate_json(json.dumps(message | {"runs": [RUN | LONG]}))
    assert len(whole.runs[0].seq) == wire.BATCH_EVENTS_MAX


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "counter"},
        {"clock": "stopped"},
        {"sensor": "Front Beams"},
        {"role": "judge"},
        {"seq": []},
        {"seq": [1]},
        {"seq": [1, 0]},
        {"seq": 1},
        {"t_ns": [5]},
        {"t_ns": [5, 2**63]},
        {"direction": ["in", "up"]},
        {"direction": ["in", "out", "out"]},
        {"persons": [1]},
        {"persons": [1, 0]},
        {"persons": [1, None]},
        {"speed_m_s": [1.0]},
        {"speed_m_s": [1.0, float("inf")]},
        {"length_m": ["0.3", 0.3]},
        {"confidence": [1.0, 1.01]},
        {"confidence": [0.5, 0.5, 0.5]},
        LONG,
    ],
)
def test_what_the_contract_forbids_in_a_run_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wire.EventBatch.model_validate_json(json.dumps(BATCH | {"runs": [RUN | change]}))


@given(NAMES, NAMES, st.sampled_from(sorted(wire.CHANNEL_MODELS)))
def test_a_topic_leads_back_to_its_address(hub: str, unit: str, channel: wire.Channel) -> None:
    address = wire.Address(hub, unit, channel)
    assert wire.parse_topic(address.topic) == address


@given(st.text())
def test_any_other_topic_is_nobodys(topic: str) -> None:
    address = wire.parse_topic(topic)
    assert address is None or address.topic == topic


def test_counters_are_called_in_and_out_on_the_wire() -> None:
    event = wire.Counter(
        seq=1, t_ns=1, clock="synced", kind="counter", sensor="evo", hub="armley", in_=3, out=2, raw_in=10, raw_out=9
    )
    assert json.loads(event.model_dump_json(by_alias=True))["in"] == 3


def test_the_published_documents_are_fresh() -> None:
    for name, text in asyncapi.documents().items():
        assert (ROOT / "docs/wire" / name).read_text(encoding="utf-8") == text, "stale: run `make docs`"


def test_the_published_schema_judges_like_the_models() -> None:
    schema = json.loads((ROOT / "docs/wire/messages.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/EventBatch", "$defs": schema["$defs"]})
    assert validator.is_valid(BATCH)
    assert not validator.is_valid(BATCH | {"events": [PASSAGE | {"direction": "up"}]})


def test_every_channel_and_message_of_asyncapi_leads_somewhere() -> None:
    document = asyncapi.asyncapi()
    schema = asyncapi.json_schema()
    assert {channel["address"].rsplit("/", 1)[1] for channel in document["channels"].values()} == set(
        wire.CHANNEL_MODELS
    )
    for message in document["components"]["messages"].values():
        assert message["payload"]["$ref"].rsplit("/", 1)[1] in schema["$defs"]
