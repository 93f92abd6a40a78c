"""What the tests of runs let another process do: fit requests, then one until it is killed.

Usage: python fresh_process.py FILE, a JSON file with ``store``, ``requests``,
``precision`` (one a request), ``then`` (a request) and ``then_store``.
"""

import json
import sys
from pathlib import Path

from shortlib.methods import compute
from shortlib.runs import Request, Store


def main(asked):
    native = compute.cpu_has_bfloat16
    for request, precision in zip(asked["requests"], asked["precision"], strict=True):
        compute.cpu_has_bfloat16 = native if precision == "bfloat16" else lambda: False
        Store(Path(asked["store"]) / precision).fit_or_load(Request(**request), device="cpu")
    then = Request(**asked["then"])
    compute.cpu_has_bfloat16 = native
    Store(asked["then_store"]).fit_or_load(then, device="cpu", checkpoint_seconds=0.0)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
