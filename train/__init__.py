"""Training: `python -m train CONFIG.yaml`. The loop, its configuration and the run folder."""

import os

# Before torch loads. OpenMP's threads otherwise spin while they wait for one another; with anything else at work on the
# machine (a browser) the spinning takes the time of the thread that is waited for. Measured: docs/ARCHITECTURE.md.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
