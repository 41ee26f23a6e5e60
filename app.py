"""Opens PVSWGAN Studio: python app.py [--host --port --runs --auth user:password --read-only]."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="PVSWGAN Studio: train, watch and explore video GANs.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    add("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: runs)")
    add("--auth", metavar="USER:PASSWORD", help="ask for this login on every page and route")
    add("--read-only", action="store_true",
        help="look and explore only: nothing is started, measured, imported, uploaded, named or deleted")
    options = parser.parse_args(arguments)
    if options.auth is not None:
        user, _, password = options.auth.partition(":")
        if not (user and password):
            parser.error("--auth wants USER:PASSWORD, both not empty")
        options.auth = (user, password)
    if not 0 < options.port < 65536:
        parser.error(f"--port {options.port} is not a port: 1 to 65535 is allowed")
    return options


def refuse_taken(host: str, port: int) -> None:
    """Ends with a sentence when the address cannot be had, before the slow imports."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
            probe.bind((host, port))
    except OSError as error:
        sys.exit(
            f"Cannot open the studio on {host}:{port}: {error.strerror or error}. Another studio may be "
            f"running there; close it, or choose another port with --port {port % 65535 + 1}."
        )


def prepare() -> None:
    """Settings that Gradio and OpenMP read once, when they are loaded: so before the imports that do it."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    # A waiting OpenMP thread spins by default. Beside a training it then burns the very core that the thread
    # it waits for needs: a clip took 100 ms and more in place of 39 (two cores, two trainings running).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main() -> None:
    options = parse()
    refuse_taken(options.host, options.port)
    prepare()

    from pvswgan.studio import Settings, serve

    serve(Settings(**vars(options)))


if __name__ == "__main__":
    main()
