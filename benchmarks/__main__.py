"""Run every benchmark and write what was measured to benchmarks/results.json; or run some, and write nothing."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from pathlib import Path

import torch

#: One module a benchmark, each with a ``main`` that prints a table and returns its records.
NAMES = ("peak", "pair_mlp", "transformer", "critical_size")

RESULTS = Path(__file__).parent / "results.json"


def available() -> list[str]:
    """Names of the benchmarks that there are."""
    return [name for name in NAMES if (Path(__file__).parent / f"{name}.py").is_file()]


def run(names: list[str], out: Path | None) -> list[dict[str, object]]:
    """Run those benchmarks one after the other.

    Args:
        names: Modules of this package.
        out: JSON file for what was measured, or None.
    """
    records = [record for name in names for record in importlib.import_module(f"benchmarks.{name}").main()]
    if out is not None:
        document = {"torch": torch.__version__, "machine": platform.machine(), "records": records}
        out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        print(f"written: {out}")
    return records


def main(words: list[str]) -> int:
    """Run the benchmarks that are named, or all; 2 where a name is unknown."""
    unknown = [word for word in words if word not in available()]
    if unknown:
        print(f"benchmark must be one of {', '.join(available())}, got {unknown[0]!r}", file=sys.stderr)
        return 2
    run(words or available(), None if words else RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
