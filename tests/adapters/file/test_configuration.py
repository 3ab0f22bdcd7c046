"""Configurations that fit together are accepted, others refused; and the cut-off, over summer time too."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.file.configuration import Configuration

BASE: dict[str, Any] = {
    "folder": "/srv/jade", "unit": "MILES", "cutOff": "22:30", "zone": "UTC", "operations": ["DEBIT"]
}  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"folder": "jade"},
        {"folder": "/srv/../etc"},
        {"cutOff": "24:00"},
        {"cutOff": "22:30Z"},
        {"zone": "Mars/Olympus"},
        {"operations": []},
        {"partial": ["REVERSE"]},
        {"separator": ",,"},
        {"encoding": "utf-16"},
        {"encoding": "iso-8859-1", "unit": "里程"},
        {"unit": "=1"},
        {"words": {"DEBIT": "+x"}},
        {"words": {"DEBIT": "CREDIT"}},
        {"orders": {"member": "amount"}},
        {"results": {"status": "amount"}},
        {"results": {"status": None}},
        {"results": {"status": "#total"}},
        {"statuses": {"NO": "REFUSED"}},
        {"minimum": "5", "maximum": "4"},
        {"minimum": "0.5"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(more: dict[str, Any]) -> None:
    Configuration.model_validate(BASE)
    with pytest.raises(ValidationError):
        Configuration.model_validate({**BASE, **more})


@pytest.mark.parametrize(
    ("zone", "cut_off", "now", "wanted"),
    [
        ("UTC", "22:30", "2026-03-01T22:29:59Z", "2026-02-28T22:30:00Z"),
        ("UTC", "22:30", "2026-03-01T22:30:00Z", "2026-03-01T22:30:00Z"),
        ("Asia/Shanghai", "00:00", "2026-03-01T15:59:00Z", "2026-02-28T16:00:00Z"),
        ("Asia/Shanghai", "00:00", "2026-03-01T16:00:00Z", "2026-03-01T16:00:00Z"),
        # Clocks go from 02:00 (UTC+1) to 03:00 (UTC+2): 02:30 is as if they had not.
        ("Europe/Berlin", "02:30", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"),
        ("Europe/Berlin", "02:30", "2026-03-29T01:29:00Z", "2026-03-28T01:30:00Z"),
        # And back from 03:00 (UTC+2) to 02:00 (UTC+1): 02:30 is the first of two.
        ("Europe/Berlin", "02:30", "2026-10-25T00:29:00Z", "2026-10-24T00:30:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-25T01:45:00Z", "2026-10-25T00:30:00Z"),
    ],
)
def test_the_last_cut_off_is_found(zone: str, cut_off: str, now: str, wanted: str) -> None:
    configuration = Configuration.model_validate({**BASE, "zone": zone, "cutOff": cut_off})
    found = configuration.last_cut_off(datetime.fromisoformat(now))
    assert found.astimezone(UTC) == datetime.fromisoformat(wanted)
