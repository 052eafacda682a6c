from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_cfg.errors import ConfigError
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet

HUB = """
id = "armley"
name = "Armley"
type = "extra"

[hours]
mon = ["09:00-17:00"]

[[entrances]]
id = "front"
name = "Front"
counting = "front-beams"

[[units]]
id = "armley-front"
since = 2026-01-01

[[units.sensors]]
name = "front-beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 17
inner_pin = 27
"""


def fleet_of(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[misc,arg-type]  # a date's numbers


def test_the_example_fleet_is_six_hubs_of_three_types() -> None:
    fleet = load_fleet(EXAMPLE_FLEET)
    assert {hub.name for hub in fleet.hubs.values()} == {
        "Strood Community Hub",
        "Armley Community Hub",
        "Compton Centre",
        "St George's Centre",
        "South Ockendon Centre",
        "Micklefield Library",
    }
    assert {hub.type for hub in fleet.hubs.values()} == {"extra", "local", "mobile"}
    assert all(hub.hours and hub.entrances and hub.rooms and hub.cabinet for hub in fleet.hubs.values())
    placed = fleet.place("armley-front", ns(2026, 3, 2))
    assert placed is not None
    hub, stay = placed
    assert (hub.id, stay.sensors[0].name, stay.sensors[0].kind) == ("armley", "front-beams", "beam-pair")
    assert hub.role("front", "front-beams") == "counting"


def test_a_pop_up_unit_is_where_it_was(tmp_path: Path) -> None:
    there = HUB.replace("since = 2026-01-01", "since = 2026-01-01\nuntil = 2026-02-01")
    later = HUB.replace('"armley"', '"strood"').replace("since = 2026-01-01", "since = 2026-02-03T08:00:00Z")
    fleet = load_fleet(fleet_of(tmp_path, armley=there, strood=later))

    def place(t_ns: int) -> str | None:
        found = fleet.place("armley-front", t_ns)
        return found[0].id if found else None

    assert place(ns(2025, 12, 31, 23)) is None
    assert place(ns(2026, 1, 1)) == "armley"
    assert place(ns(2026, 2, 1) - 1) == "armley"
    assert place(ns(2026, 2, 1)) is None
    assert place(ns(2026, 2, 3, 8)) == "strood"


def test_a_unit_cannot_be_at_two_hubs_at_once(tmp_path: Path) -> None:
    twin = HUB.replace('"armley"', '"strood"')
    with pytest.raises(ConfigError, match=r"'armley-front' is at 'armley' and 'strood' at once from 2026-01-01"):
        load_fleet(fleet_of(tmp_path, armley=HUB, strood=twin))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('type = "extra"', 'type = "big"', r"type: 'big' is not allowed; allowed: 'extra', 'local' or 'mobile'"),
        ('name = "Armley"', "", r"name: is missing"),
        ('name = "Armley"', 'nmae = "Armley"', r"nmae: no such key; check its spelling"),
        ('id = "armley"', 'id = "Armley Hub"', r"id: 'Armley Hub' is no name"),
        ("09:00-17:00", "9-5", r"hours.mon\[0\]: '9-5' is not a stretch of opening hours such as 09:00-17:30"),
        ("09:00-17:00", "17:00-09:00", r"hours.mon\[0\]: closes at 09:00, before it opens at 17:00"),
        ("mon = [", "monday = [", r"hours.monday.*'mon', 'tue'"),
        ("inner_pin = 27", "inner_pin = 17", r"sensors\[0\]: outer_pin and inner_pin are both 17"),
        ("inner_pin = 27", "inner_pin = 99", r"units\[0\].sensors\[0\].inner_pin: .*less than or equal to 27"),
        (
            'kind = "beam-pair"',
            'kind = "camera"',
            r"units\[0\].sensors\[0\]: kind 'camera' is not known; allowed: 'beam-pair', 'cabinet'",
        ),
        ('entrance = "front"', 'entrance = "back"', r"'front-beams': no entrance 'back' here; allowed: front"),
        ('counting = "front-beams"', 'counting = "evo"', r"'front' counts by 'evo'.*sensors there: front-beams"),
        ("since = 2026-01-01", "since = 2026-01-01T00:00:00", r"since: .*has no offset; write .*Z for UTC"),
        ("since = 2026-01-01", "since = 2026-01-01\nuntil = 2025-01-01", r"until is not after since"),
        ('name = "front-beams"', 'name = "unit"', r"'unit' means the unit itself"),
        ('type = "extra"', 'type = "local"\nnearest_extra = "leeds"', r"nearest_extra 'leeds' is no extra hub"),
        ('type = "extra"', 'type = "extra"\ntimezone = "Mars/Base"', r"timezone: 'Mars/Base' is no IANA time zone"),
        ('type = "extra"', 'type = "extra', r"is not TOML"),
    ],
)
def test_a_mistake_names_file_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in HUB
    with pytest.raises(ConfigError, match=message) as caught:
        load_fleet(fleet_of(tmp_path, armley=HUB.replace(old, new, 1)))
    assert str(tmp_path) in str(caught.value)


def test_a_pin_used_by_two_sensors_names_both(tmp_path: Path) -> None:
    second = HUB[HUB.index("[[units.sensors]]") :].replace("front-beams", "spare-beams").replace("27", "22")
    with pytest.raises(ConfigError, match=r"pin 17 is used by front-beams and spare-beams; each needs its own"):
        load_fleet(fleet_of(tmp_path, armley=HUB + second))


def test_a_fleet_without_files_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no \*\.toml file"):
        load_fleet(tmp_path)
    with pytest.raises(ConfigError, match=r"no such folder"):
        load_fleet(tmp_path / "nowhere")


def test_two_files_cannot_be_one_hub(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hub 'armley' is there twice"):
        load_fleet(fleet_of(tmp_path, one=HUB, two=HUB))


@pytest.mark.parametrize(
    ("sensor", "message"),
    [
        ('kind = "cabinet"', r"sensors\[0\]: nothing is fitted; give door_pin"),
        ('kind = "cabinet"\ndoor_pin = 5\ninverted = ["aed"]', r"inverted names 'aed', but there is no aed_pin"),
        ('kind = "cabinet"\ndoor_pin = 5\naed_pin = 5', r"pin 5 is used by extra"),
        ('kind = "cabinet"\ndoor_pin = 5\ncold_c = -1.0', r"frost_c 0.0, cold_c -1.0, heat_c 50.0 must rise"),
        ('kind = "room"\npir_pin = 5', r"sensors\[0\].room: is missing"),
        ('kind = "room"\nroom = "hall"\ndoor_pin = 5', r"nothing here sees people; give pir_pin or radar_port"),
        ('kind = "room"\nroom = "attic"\npir_pin = 5', r"'extra': no room 'attic' here; allowed: hall"),
        (
            'kind = "room"\nroom = "hall"\npir_pin = 5\nvacant_after_min = 3',
            r"vacant_after_min is less than vacant_after_door_min",
        ),
    ],
)
def test_a_mistake_in_a_cabinet_or_room_says_which(tmp_path: Path, sensor: str, message: str) -> None:
    hub = HUB.replace("[[units]]", '[[rooms]]\nid = "hall"\nname = "Hall"\n\n[cabinet]\n\n[[units]]')
    extra = f'[[units.sensors]]\nname = "extra"\n{sensor}\n\n'
    with pytest.raises(ConfigError, match=message):
        load_fleet(fleet_of(tmp_path, armley=hub.replace("[[units.sensors]]", f"{extra}[[units.sensors]]")))


def test_a_cabinet_sensor_needs_a_cabinet(tmp_path: Path) -> None:
    sensor = '\n[[units.sensors]]\nname = "extra"\nkind = "cabinet"\ndoor_pin = 5\n'
    with pytest.raises(ConfigError, match=r"'extra' watches a cabinet, but the hub has no \[cabinet\]"):
        load_fleet(fleet_of(tmp_path, armley=HUB + sensor))
