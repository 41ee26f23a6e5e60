"""Training: `python -m train CONFIG.yaml`. The loop, its configuration and the run folder."""
