"""Exceptions: each of a check that exists, with a reason, and then the check is left out."""

import pytest

from adapters.conformance.check import Check, Checks, Verdict, check_exceptions, run
from adapters.conformance.checks import EXCEPTIONS, NAMES, run_all
from adapters.conformance.settings import FileHarness, TrialSettings
from adapters.conformance.trial import Beside, Trial
from tests.adapters.example import kind

NOWHERE = {"url": "http://127.0.0.1:1"}


def harness(exceptions: dict[str, str]) -> FileHarness:
    return FileHarness(kind, TrialSettings(configuration=NOWHERE, sandbox=NOWHERE["url"], exceptions=exceptions))


async def test_what_is_excepted_is_not_run_and_its_reason_is_told() -> None:
    ran = []

    async def check(trial: Trial) -> None:
        ran.append(trial)

    result = await run(Check("one", "A clause.", check), harness({"one": "Why not."}))
    assert (result.verdict, result.reason, ran) == (Verdict.EXCEPTED, "Why not.", [])


@pytest.mark.parametrize(
    ("raised", "verdict"), [(Beside("Not here."), Verdict.BESIDE), (RuntimeError("Oh."), Verdict.FAILED)]
)
async def test_whatever_goes_wrong_in_a_check_is_a_verdict(raised: Exception, verdict: Verdict) -> None:
    async def check(trial: Trial) -> None:
        raise raised

    result = await run(Check("one", "A clause.", check), harness({}))
    assert result.verdict is verdict
    assert str(raised) in str(result.reason)


def test_exceptions_need_a_check_and_a_reason() -> None:
    known = next(iter(NAMES))
    assert check_exceptions({known: "Because."}, NAMES) == []
    assert len(check_exceptions({known: " ", "no-such-check": "Because."}, NAMES)) == 2


async def test_exceptions_without_a_reason_fail_the_whole() -> None:
    everything = dict.fromkeys(NAMES, "Nothing is asked here.")
    [first, *others] = [result async for result in run_all(harness(everything | {"does-a-repeat-once": ""}))]
    assert (first.check, first.verdict) == (EXCEPTIONS, Verdict.FAILED)
    assert {result.verdict for result in others} == {Verdict.EXCEPTED}


async def test_a_fault_that_nobody_can_try_needs_an_exception() -> None:
    settings = TrialSettings(configuration=NOWHERE, sandbox=NOWHERE["url"])
    results = {result.check: result async for result in run_all(FileHarness(kind, settings))}
    assert results["survives-reset"].verdict is Verdict.FAILED
    assert "write an exception" in str(results["survives-reset"].reason)


def test_each_check_has_a_name_of_its_own_and_a_clause() -> None:
    checks = Checks()

    @checks("one")
    async def _one(trial: Trial) -> None:
        """It keeps
        its word."""

    assert [(check.name, check.clause) for check in checks.all] == [("one", "It keeps its word.")]
