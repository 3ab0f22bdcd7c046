"""Reports with awkward names and amounts, for whoever renders them and reads them again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from settlement.lines import Corrects, FeeShare, Line, PointAmount, encode
from settlement.renderings.line_file import LineFile
from settlement.renderings.paper import Paper
from settlement.renderings.statement import statement
from settlement.report import Party, Report, build, digest
from tests.settlement.test_verify import BANK, BANK_LINES, LEGS, leg, report

AWKWARD: Final = (
    "北方银行股份有限公司",
    "三亚免税店（国际）",
    '=HYPERLINK("http://example.com")',
    "'=1+1",
    "+49",
    "-2",
    "@SUM(A1)",
    "＝1",
    "#strong[x] $a^2$ @b <c> `d` \\ */ //",
    '{"a": [1]}',
    'He said "no", twice; then left',
    "שלום עולם",
    "Zoë & Sons <b>",
    "長" * 60,
    "W" * 190,
    "1,5",
    "{}",
)

codes = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)
# Up to 34 digits, six of them behind the point; and what is usual.
millionths = st.integers(1, 10**34 - 1) | st.integers(1, 10**12)
points = st.builds(
    PointAmount, codes, st.builds("{}.{:02}".format, st.integers(0, 10**20), st.integers(0, 99)) | st.just("50000")
)


@dataclass(frozen=True)
class Case:
    """A report with its lines."""

    report: Report
    lines: tuple[bytes, ...]

    @property
    def payload(self) -> bytes:
        return build(self.report)

    @property
    def digest(self) -> str:
        return digest(self.payload)

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.payload)
        return found

    @property
    def said(self) -> list[dict[str, Any]]:
        """What its lines say."""
        return [json.loads(line) for line in self.lines]

    @property
    def nets(self) -> list[dict[str, Any]]:
        """What its nets say, those of all levels."""
        document = self.document
        found = [*document["nets"], *document.get("levels", ())]
        return sorted(found, key=lambda net: (net["institution"], net["currency"]))

    def file(self, folder: Path) -> Path:
        """Its lines, as a file."""
        path = folder / "lines.ndjson"
        path.write_bytes(b"".join(line + b"\n" for line in self.lines))
        return path

    def paper(self, folder: Path) -> Paper:
        return statement(self.payload, LineFile(self.file(folder), len(self.lines)))


def of(report: Report, legs: Sequence[Line]) -> Case:
    code = None if report.kind == "summary" else report.institution.code
    return Case(report, tuple(encode(line) for line in legs if code is None or code in (line.payer, line.payee)))


BANK_CASE: Final = Case(BANK, tuple(BANK_LINES))
SUMMARY_CASE: Final = of(report("summary", "HUB"), LEGS)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """An institution's report or the summary, of a few lines between a few institutions."""
    parties = draw(st.lists(codes, min_size=2, max_size=4, unique=True))
    pair = st.permutations(parties).map(lambda order: order[:2])
    legs = []
    for number in range(draw(st.integers(1, 6))):
        payer, payee = draw(pair)
        one = leg(number + 1, 1, payer, payee, draw(millionths), draw(st.sampled_from(("CNY", "JPY", "BHD"))))
        kind = draw(st.sampled_from(("convert", "redeem", "reverse", "net", "barter")))
        moved = tuple(draw(st.lists(points, max_size=2)))
        reverses = draw(st.none() | st.just("cv_1"))
        if draw(st.integers(0, 4)) == 0:  # a share of a fee of which a part is kept; and an invoice's
            share = FeeShare("sp_a", one.amount_millionths + 7, draw(st.integers(0, 7)))
            one = replace(one, purpose="fee", share=share, invoice=draw(st.none() | codes))
        elif draw(st.integers(0, 3)) == 0:  # by terms: as many points at 0.05 each
            count = draw(st.integers(1, 10**12))
            priced = replace(one, kind="redeem", amount_millionths=count * 50_000)
            legs.append(replace(priced, points=(PointAmount("P", str(count)),), terms="tm_a", price="0.05"))
            continue
        elif draw(st.integers(0, 5)) == 0:  # of an upheld dispute
            legs.append(
                replace(one, kind="correct", points=(), corrects=Corrects("dp_a", "mv_9", draw(st.integers(0, 9))))
            )
            continue
        legs.append(replace(one, kind=kind, points=moved, reverses=reverses))
    made = report("summary", "HUB", legs) if draw(st.booleans()) else report("institution", legs[0].payer, legs)
    named = replace(made, hub=draw(codes), institution=Party(made.institution.code, draw(codes)))
    return of(named, legs)


def many(count: int) -> Case:
    """A report of many lines."""
    shown = (PointAmount("BANKPT", "1000"), PointAmount("MILE", "40.5"))
    legs = [
        replace(leg(number + 1, 1, "BANK", "AIR", 1_000_000 + number * 10_007), points=shown) for number in range(count)
    ]
    return of(report("institution", "BANK", legs), legs)
