"""The conformance suite for pytest. Inherit it beside your adapter, and give it a harness:

    class TestOurs(PartnerConformance):
        @pytest.fixture
        def harness(self) -> Harness: ...

It needs pytest and pytest-asyncio (``asyncio_mode = "auto"``).
"""

import pytest

from adapters.conformance.check import Check, Verdict, check_exceptions, run
from adapters.conformance.checks import CHECKS, NAMES
from adapters.conformance.trial import Harness


class PartnerConformance:
    """Every check, a test each. What is excepted is skipped, with its reason."""

    @pytest.fixture
    def harness(self) -> Harness:
        """What the checks need beside the adapter; to be overridden."""
        raise NotImplementedError("Give the suite a fixture 'harness'.")

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    async def test_conforms(self, check: Check, harness: Harness) -> None:
        """The adapter keeps the clause."""
        result = await run(check, harness)
        if result.verdict in (Verdict.EXCEPTED, Verdict.BESIDE):
            pytest.skip(str(result.reason))
        assert result.verdict is Verdict.PASSED, f"{check.clause} {result.reason}"

    def test_every_exception_has_a_reason(self, harness: Harness) -> None:
        """An exception is of a check that exists, and somebody wrote down why."""
        assert check_exceptions(harness.exceptions, NAMES) == []
