"""Proves promises 1 to 7 under random faults: 25 s with two servers, six senders, nine readers and a nemesis that causes
the faults. PARLEY_SEED repeats a run's choices; tests/faults/run is the long form."""

import os
import random

import pytest

from workload import Run

SECONDS = 25


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_random_faults(stack, contract):
    seed = int(os.environ.get("PARLEY_SEED", random.randrange(10**9)))
    print(f"seed {seed}")
    run = Run(stack, contract, seed)
    try:
        violations = run.execute(SECONDS)
        assert not violations, f"seed {seed}: " + "\n".join(violations[:20])
        assert run.summary["acknowledged"] > 100, run.summary
    finally:
        run.close()
