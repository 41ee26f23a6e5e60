"""Options of our test run. `--parity` prints how far each array lies from the authors' (tests/oracle.py)."""

import contextlib
import gc
import os

with contextlib.suppress(ImportError):                     # a borrowed GPU machine may have pytest and no more
    from hypothesis import settings

    settings.register_profile("here", deadline=None)       # on a busy machine one example may be held up
    settings.load_profile("here")

os.environ.setdefault("OMP_WAIT_POLICY", "passive")       # as app.py: tests share the machine with a browser
# Where several test at once, each has its share of the cores: threads that wait for one another's turn waste both.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
if WORKERS > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // WORKERS)))


def pytest_collection_finish(session):
    """A trainer collects garbage at its edges; it need not look through all of pytest and PyTorch each time."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser):
    parser.addoption("--parity", action="store_true", help="print every array's difference from the authors' code")


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--parity"):
        return
    terminalreporter.section("difference from the authors' arrays")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{value:.1e}  {name}")
