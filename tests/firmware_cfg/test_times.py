from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_cfg.times import from_rfc3339, to_rfc3339

FAR_FUTURE_NS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 10**9


@given(st.integers(0, FAR_FUTURE_NS))
def test_every_nanosecond_survives_the_way_to_text_and_back(t_ns: int) -> None:
    assert from_rfc3339(to_rfc3339(t_ns)) == t_ns


@pytest.mark.parametrize(
    ("text", "t_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01t01:00:00.5+01:00", 500_000_000),
        ("2026-03-29T02:00:00+01:00", 1_774_746_000 * 10**9),
    ],
)
def test_reads_offsets_and_fractions(text: str, t_ns: int) -> None:
    assert from_rfc3339(text) == t_ns


def test_writes_no_more_decimals_than_needed() -> None:
    assert to_rfc3339(1_500_000_000) == "1970-01-01T00:00:01.5Z"
    assert to_rfc3339(2_000_000_000) == "1970-01-01T00:00:02Z"


@pytest.mark.parametrize("text", ["", "2026-03-02", "2026-03-02T09:00:00", "2026-13-02T09:00:00Z", "yesterday", "1e9"])
def test_a_time_without_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|month"):
        from_rfc3339(text)
