"""Everything that can be done to a report, found by both verifiers: ``python -m tests.settlement``.

First each place of each report is changed in each way, and the two verdicts compared finding by finding; then as many
tampered reports as are asked for are made by seeds, and each must be caught by both, for the same reasons.
"""

import argparse
import itertools
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from tests.settlement.bending import (
    TRUE,
    Case,
    lines_one_by_one,
    one_by_one,
    proofs_one_by_one,
    supplements_one_by_one,
    tampered,
    verdicts,
)

R = TypeVar("R")
CHUNK = 500
STRIDES = 16


def compare(stride: int) -> tuple[int, list[str]]:
    """Every sixteenth change of each place; answers how many, and where the verdicts differ."""
    done, wrong = 0, []
    for name, case in TRUE.items():
        for way in (one_by_one, lines_one_by_one, proofs_one_by_one, supplements_one_by_one):
            changes: Iterator[Case] = itertools.islice(way(case), stride, None, STRIDES)
            for place, changed in enumerate(changes):
                done += 1
                ours, theirs = verdicts(changed)
                if ours != theirs:
                    wrong.append(f"{name}, {way.__name__}, {stride + STRIDES * place}: {ours} and {theirs}")
    return done, wrong


def catch(first: int) -> tuple[Counter[str], list[str]]:
    """The tampered reports of a chunk of seeds, by what was done; and those that were missed or told differently."""
    done: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + CHUNK):
        how, case = tampered(random.Random(seed))
        done[how.partition(" ")[0]] += 1
        ours, theirs = verdicts(case)
        if not ours or ours != theirs:
            wrong.append(f"seed {seed}, {how}: {ours} and {theirs}")
    return done, wrong


def shown(what: str, results: Iterable[R], total: int) -> Iterable[R]:
    """The results as they come, with a progress bar beside them."""
    return track(results, what, total, console=Console(stderr=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=100_000, help="how many tampered reports")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    started = time.monotonic()
    wrong: list[str] = []
    changed, done = 0, Counter[str]()
    with ProcessPoolExecutor(asked.workers) as pool:
        for count, differing in shown("changing each place", pool.map(compare, range(STRIDES)), STRIDES):
            changed += count
            wrong += differing
        chunks = range(0, asked.reports, CHUNK)
        for counts, missed in shown("tampering by seeds", pool.map(catch, chunks), len(chunks)):
            done += counts
            wrong += missed
    for line in wrong[:20]:
        sys.stdout.write(f"{line}\n")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(done.items()))
    sys.stdout.write(
        f"{changed:,} changes of single places told alike by both verifiers, {done.total():,} tampered reports caught "
        f"by both ({kinds}), {len(wrong):,} not; {time.monotonic() - started:.0f} s\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
