"""Repeat one seed, with its traceback: ``python -m tests.exchange SEED``; with ``--seeds N``, N from that one on."""

import argparse
import sys
import time
from collections import Counter

from tests.exchange import seeds


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.exchange", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    begun, met, wrong = time.perf_counter(), Counter[str](), 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        try:
            met.update(seeds.run(seed))
        except seeds.Found as found:
            if asked.seeds == 1:
                raise
            wrong += 1
            sys.stdout.write(f"{found}\n")
    for what, times in met.most_common():
        sys.stdout.write(f"{times:>7} {what}\n")
    sys.stdout.write(f"{asked.seeds} seeds in {time.perf_counter() - begun:.1f} s, {wrong} found wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
