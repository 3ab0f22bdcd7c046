"""Many histories, on as many processors as there are."""

import gc
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.simulation import history

CHUNK = 50


def histories(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """Runs the seeds ``first`` to ``first + count``; answers what they met, and what was found wrong."""
    chunks = [(seed, min(CHUNK, first + count - seed)) for seed in range(first, first + count, CHUNK)]
    met: Counter[str] = Counter()
    wrong: list[str] = []
    # Each begins anew, because a fork would share connections and loops of whoever asks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(chunks), os.cpu_count() or 1), context, _quietly) as pool:
        for done in as_completed([pool.submit(_chunk, *chunk) for chunk in chunks]):
            seen, found = done.result()
            met.update(seen)
            wrong.extend(found)
    return met, wrong


def _quietly() -> None:
    """Make the worlds, and do not look for garbage among what stays."""
    for variant in range(history.VARIANTS):
        history.founded(variant)
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def _chunk(first: int, count: int) -> tuple[Counter[str], list[str]]:
    met: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        try:
            met.update(history.run(seed))
        except history.Found as found:
            wrong.append(str(found))
    return met, wrong
