"""python -m train.benchmark: what this machine does, measured side by side and printed with machine and date."""
