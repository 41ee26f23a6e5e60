"""python -m train.gpu: a visit to a borrowed GPU machine of which one has only minutes (`make gpu`)."""

import time

BEGAN = time.monotonic()          # before PyTorch is loaded: that too takes its share of the minutes
