"""python -m train.study: a queue of trainings that differ in one thing each, measured by one protocol."""
