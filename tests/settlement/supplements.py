"""Supplements to the reports of ``test_verify``: BANK does not pay, who bears it, and what comes back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from settlement.report import JournalHead, Report, build, digest
from settlement.supplement import Default, Share, Step, Supplement
from settlement.supplement import build as build_supplement
from tests.settlement.test_verify import HEX, report

CENT: Final = 10_000
AT: Final = datetime(2026, 2, 2, tzinfo=UTC)
[_BANKS] = report("institution", "BANK").nets
OWED: Final = -_BANKS.net_millionths  # 50.01 or 50.02 CNY, as it is rounded


def step(number: int, kind: str, amount: int, reference: str | None = None) -> Step:
    at = AT + timedelta(days=number)
    return Step(f"ds_{number:x}", kind, amount, at, None if reference is None else "2026-02-05", reference)


# Of what BANK owes its collateral bears 20.00, its own contribution 1.00, AIR's 5.00, and the rest is cut.
STEPS: Final = (
    step(0x0F, "DECLARED", OWED),
    step(0x10, "REPAID", CENT, "before it was covered"),
    step(0x11, "COLLATERAL", 2_000 * CENT),
    step(0x12, "FUND", 600 * CENT),
    step(0x13, "CUT", OWED - 2_601 * CENT),
    step(0x14, "COVERED", OWED - CENT),
    step(0x15, "REPAID", 300 * CENT, "\tas the bank wrote it "),
)
SHARES: Final = (
    Share("BANK", "COLLATERAL", 2_000 * CENT, 0, advanced=False),
    Share("BANK", "OWN_FUND", 100 * CENT, 0, advanced=False),
    Share("AIR", "FUND", 500 * CENT, 0, advanced=False),
    Share("SHOP", "CUT", 1_000 * CENT, 0, advanced=False),
    Share("HUB", "CUT", OWED - 3_601 * CENT, 0, advanced=True),
)
BACK: Final = {"SHOP": 200 * CENT, "HUB": 100 * CENT}


def states() -> list[Default]:
    """The default after each batch: declared, repaid a cent, covered, repaid again."""
    declared = Default("df_9", "BANK", "CNY", OWED, 0, "DECLARED", STEPS[:1], ())
    early = replace(declared, repaid=CENT, steps=STEPS[:2])
    covered = replace(early, status="COVERED", steps=STEPS[:6], shares=SHARES)
    back = tuple(replace(one, repaid=BACK.get(one.institution, 0)) for one in SHARES)
    return [declared, early, covered, replace(covered, repaid=301 * CENT, steps=STEPS, shares=back)]


def told(code: str) -> list[bytes]:
    """The supplements of an institution, in order; HUB's are the operator's."""
    kind = "summary" if code == "HUB" else "institution"
    return payloads(report(kind, code), states())  # type: ignore[arg-type]


def payloads(of: Report, stands: list[Default], *, has_report: bool = True) -> list[bytes]:
    """The supplements to a report, one for each stand of the default that changes something for its institution."""
    code, made = of.institution.code, list[bytes]()
    before: Default | None = None
    for place, stand in enumerate(stands):
        mine = stand
        if of.kind != "summary":
            shares = tuple(one for one in stand.shares if one.institution == code)
            if code != stand.institution and not shares:
                continue
            mine = replace(stand, shares=shares, steps=stand.steps if code == stand.institution else ())
        if mine == before:
            continue
        before = mine
        supplement = Supplement(
            kind=of.kind,
            hub=of.hub,
            model=of.model,
            window=of.window,
            institution=of.institution,
            report=digest(build(of)) if has_report else None,
            number=len(made) + 1,
            previous_digest=digest(made[-1]) if made else None,
            at=AT + timedelta(days=100 + place),
            journal=JournalHead(200 + place, HEX),
            defaults=(mine,),
        )
        made.append(build_supplement(supplement))
    return made
