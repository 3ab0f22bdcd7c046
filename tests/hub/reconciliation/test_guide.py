"""What the guide shows a partner is what the hub believes."""

import re
from datetime import date
from pathlib import Path

from hub.reconciliation import files
from hub.reconciliation.breaks import BreakType
from hub.reconciliation.files import Wrong
from hub.reconciliation.matching import Matching
from tests.hub.reconciliation.test_matching import FRAME

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "reconcile.md").read_text()


def test_the_guide_s_file_is_believed(tmp_path: Path) -> None:
    [shown] = re.findall(r"```csv\n(.*?)```", GUIDE, re.S)
    path = tmp_path / "day.csv"
    path.write_text(shown)
    found = files.read(path, "MILE", date(2026, 3, 1), tmp_path / "rows.csv")
    with Matching(tmp_path, FRAME) as matching:
        files.take(found, matching, 2)
        assert matching.totals() == {"DEBIT": (1, 15_000), "CREDIT": (1, 7_550)}


def test_the_guide_names_every_type_and_every_refusal() -> None:
    assert [word for word in (*BreakType, *Wrong) if f"`{word.value}`" not in GUIDE] == []
