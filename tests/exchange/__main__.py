"""Repeat one seed, with its traceback: ``python -m tests.exchange SEED``; with ``--seeds N``, N from that one on.
``--matrix ONE_PLACE``: all ways over all kinds of partners, of which the tests go through those that show most."""

import argparse
import sys
import time
from collections import Counter

from tests.exchange import matrix, seeds


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.exchange", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("seed", type=int, nargs="?")
    what.add_argument("--matrix", choices=[depth.name for depth in matrix.Depth])
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    begun = time.perf_counter()
    met, wrong = (
        _by_seeds(asked.seed, asked.seeds) if asked.matrix is None else matrix.everywhere(matrix.Depth[asked.matrix])
    )
    for event, times in met.most_common():
        sys.stdout.write(f"{times:>7} {event}\n")
    for one in wrong:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{time.perf_counter() - begun:.1f} s, {len(wrong)} found wrong\n")
    return 1 if wrong else 0


def _by_seeds(first: int, count: int) -> tuple[Counter[str], list[str]]:
    met, wrong = Counter[str](), []
    for seed in range(first, first + count):
        try:
            met.update(seeds.run(seed))
        except seeds.Found as found:
            if count == 1:
                raise
            wrong.append(str(found))
    return met, wrong


if __name__ == "__main__":
    sys.exit(main())
