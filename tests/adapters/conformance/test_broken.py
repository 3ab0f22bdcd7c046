"""The suite bites: each broken adapter fails the check that is made for it, and no check is without one."""

import pytest

from adapters.conformance.check import Verdict, run
from adapters.conformance.checks import CHECKS, NAMES
from adapters.conformance.settings import FileHarness, TrialSettings
from tests.adapters.conformance.broken import FAULTS, LIES, Breach
from tests.adapters.conftest import playing
from tests.adapters.example import Configuration

BY_NAME = {check.name: check for check in CHECKS}


class BrokenKind:
    """The kind of a broken adapter."""

    configuration = Configuration

    def __init__(self, breach: Breach) -> None:
        self.connect = breach.adapter


@pytest.mark.parametrize("breach", [*LIES, *FAULTS], ids=str)
async def test_a_broken_adapter_fails_the_check_made_for_it(breach: Breach) -> None:
    async with playing(breach.programme) as simulator:
        url = simulator.url
        settings = TrialSettings(configuration={"url": url}, sandbox=url, address="url")
        result = await run(BY_NAME[breach.fails], FileHarness(BrokenKind(breach), settings))
    assert result.verdict is Verdict.FAILED, result
    assert result.reason


def test_no_check_is_without_an_adapter_that_fails_it() -> None:
    assert {breach.fails for breach in (*LIES, *FAULTS)} == NAMES
