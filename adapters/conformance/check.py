"""What a check is, and what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import msgspec

from adapters.conformance.trial import Beside, Failed, Harness, Trial

CHECK_S_MAX = 120


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    BESIDE = "BESIDE"  # it does not concern this adapter
    EXCEPTED = "EXCEPTED"  # it was left out, for a reason that somebody wrote


class Result(msgspec.Struct, frozen=True):
    """One check's verdict; ``reason``: why, if it did not pass."""

    check: str
    verdict: Verdict
    reason: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One clause that adapters keep. ``run`` raises Failed or Beside, or returns."""

    name: str
    clause: str
    run: Callable[[Trial], Awaitable[None]]

    def __str__(self) -> str:
        return self.name


class Checks:
    """A collection of checks, in order."""

    def __init__(self) -> None:
        self.all: list[Check] = []

    def __call__(self, name: str) -> Callable[[Callable[[Trial], Awaitable[None]]], Callable[[Trial], Awaitable[None]]]:
        """Make a check of a function; its docstring is the clause."""

        def kept(run: Callable[[Trial], Awaitable[None]]) -> Callable[[Trial], Awaitable[None]]:
            self.add(name, str(run.__doc__), run)
            return run

        return kept

    def add(self, name: str, clause: str, run: Callable[[Trial], Awaitable[None]]) -> None:
        """Add a check."""
        self.all.append(Check(name, " ".join(clause.split()), run))


async def run(check: Check, harness: Harness, *, seed: int = 0) -> Result:
    """A check's verdict. Whatever goes wrong in it, the adapter's faults included, is a verdict too."""
    excepted = harness.exceptions.get(check.name)
    if excepted is not None:
        return Result(check.name, Verdict.EXCEPTED, excepted)
    try:
        async with asyncio.timeout(CHECK_S_MAX), Trial(harness, seed=seed) as trial:
            await check.run(trial)
    except Beside as beside:
        return Result(check.name, Verdict.BESIDE, str(beside))
    except Failed as failed:
        return Result(check.name, Verdict.FAILED, str(failed))
    except TimeoutError:
        return Result(check.name, Verdict.FAILED, f"It was not over after {CHECK_S_MAX} seconds.")
    except Exception as error:
        return Result(check.name, Verdict.FAILED, f"It ended in {type(error).__name__}: {error}")
    return Result(check.name, Verdict.PASSED)


def check_exceptions(exceptions: Mapping[str, str], names: set[str]) -> list[str]:
    """What is wrong with exceptions: of checks that do not exist, or without a reason."""
    wrong = [f"There is no check {name!r} to be excepted." for name in sorted(exceptions.keys() - names)]
    return wrong + [f"The exception of {name!r} has no reason." for name, why in exceptions.items() if not why.strip()]
