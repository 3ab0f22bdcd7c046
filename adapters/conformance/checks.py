"""All checks, in the order in which they are run and listed."""

from collections.abc import AsyncIterator

from adapters.conformance import faults, memory, orders
from adapters.conformance.check import Check, Result, Verdict, check_exceptions, run
from adapters.conformance.trial import Harness

CHECKS: tuple[Check, ...] = (*orders.checks.all, *memory.checks.all, *faults.checks.all)
NAMES = {check.name for check in CHECKS}
EXCEPTIONS = "excepts-with-reasons"


async def run_all(harness: Harness) -> AsyncIterator[Result]:
    """The verdict of every check, one after the other; the first is on the exceptions themselves."""
    wrong = check_exceptions(harness.exceptions, NAMES)
    yield Result(EXCEPTIONS, Verdict.FAILED if wrong else Verdict.PASSED, " ".join(wrong) or None)
    for check in CHECKS:
        yield await run(check, harness)
