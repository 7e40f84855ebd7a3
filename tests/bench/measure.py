"""One measurement of one system in a fresh process: ``measure.py SYSTEM WHAT FOLDER``.

Prints a JSON object. WHAT is a name in ``measures``. With ``BENCH_TREE`` in the environment it
refuses to measure a hueycore that lies in another tree.
"""

import json
import os
import resource
import sys

from measurement import Skipped  # beside this program


def main(system: str, what: str, folder: str) -> None:
    os.environ |= {"BENCH_SYSTEM": system, "BENCH_FOLDER": folder}
    if what.endswith("-greenlet"):
        from gevent import monkey

        monkey.patch_all()
    # They read what was just set.
    if system.startswith("litequeue"):
        from measures.litequeue import MEASURES
    else:
        from measures.catalogue import MEASURES
    try:
        answer = MEASURES[what]()
    except Skipped as reason:
        print(json.dumps({"skipped": str(reason)}))
        return
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
