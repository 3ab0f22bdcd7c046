"""Run more histories than the tests do: ``python -m tests.simulation --seeds 10000``.

``--from`` begins at another seed than the first that the tests leave out; ``--seed`` repeats one, with its traceback.
"""

import argparse
import sys
import time

from tests.simulation import history
from tests.simulation.many import histories
from tests.simulation.test_simulation import SEEDS, WANTED

THOUSANDS = 2000


def main() -> int:
    """0 if nothing was found, and if what thousands of histories are for was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many histories (10000)")
    parser.add_argument("--from", type=int, default=SEEDS, dest="first", help=f"the first seed ({SEEDS})")
    parser.add_argument("--seed", type=int, help="only this one")
    asked = parser.parse_args()
    if asked.seed is not None:
        history.run(asked.seed)
        sys.stdout.write(f"seed {asked.seed}: nothing found\n")
        return 0
    begun = time.perf_counter()
    met, wrong = histories(asked.first, asked.seeds)
    for what, times in met.most_common():
        sys.stdout.write(f"{times:>9} {what}\n")
    for found in wrong:
        sys.stdout.write(f"{found}\n")
    sys.stdout.write(f"{asked.seeds} histories in {time.perf_counter() - begun:.0f} s, {len(wrong)} found wrong\n")
    missed = WANTED - met.keys() if asked.seeds >= THOUSANDS else set()
    if missed:
        sys.stdout.write(f"never met: {', '.join(sorted(missed))}\n")
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
