"""Times zuno-audit against a peer on one repository, interleaved, cold processes, and prints the ratio of the medians.

    python bench/compare.py REPOSITORY --peer 'ast-grep scan -c RULES/sgconfig.yml . --format sarif' [--runs 7] \
        [-- zuno-audit arguments]

Absolute times swing on shared machines; the ratio within one run is what counts. Both commands run in the
repository's folder with their output thrown away. zuno-audit runs every rule each time, unless told otherwise.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import statistics
import subprocess
import sys
import time


def timed(command: list[str], folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("repository")
    parser.add_argument("--peer", required=True, help="the other command, one string")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--cache", action="store_true", help="let zuno-audit recall what it said of the same files"
    )
    parser.add_argument("arguments", nargs="*", help="arguments for zuno-audit, after --")
    options = parser.parse_args()
    ours = [
        sys.executable,
        "-m",
        "zuno_audit",
        ".",
        *([] if options.cache else ["--no-cache"]),
        *options.arguments,
    ]
    peer = shlex.split(options.peer)
    times: dict[str, list[tuple[float, float]]] = {"zuno-audit": [], "peer": []}
    for name, command in (("zuno-audit", ours), ("peer", peer)):
        timed(command, options.repository)  # warm page cache and bytecode
        del name
    for _ in range(options.runs):
        times["zuno-audit"].append(timed(ours, options.repository))
        times["peer"].append(timed(peer, options.repository))
    medians = {
        name: [statistics.median(t[i] for t in pairs) for i in (0, 1)] for name, pairs in times.items()
    }
    for name, (wall, cpu) in medians.items():
        print(f"{name:12} wall {wall:.3f} s   cpu {cpu:.3f} s")
    print(f"ratio        wall {medians['zuno-audit'][0] / medians['peer'][0]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
