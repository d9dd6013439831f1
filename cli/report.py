"""Files that a validation leaves: the report as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_report(document: Mapping[str, Any], path: Path) -> None:
    """Write the report whole or not at all."""
    aside = path.with_suffix(".writing")
    aside.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(aside, path)
