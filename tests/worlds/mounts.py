"""Commands run where they may mount file systems of their own, which nobody else sees and which go with them."""

import shutil
import subprocess
from functools import cache

import pytest


@cache
def _prefix() -> list[str] | None:
    if shutil.which("unshare") is None:
        return None
    for prefix in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        trial = subprocess.run([*prefix, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if trial.returncode == 0:
            return prefix
    return None


def with_mounts(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that mounts file systems; skips the test where that is not allowed.

    Args:
        script: The script; it stops at the first command that fails.
        arguments: Its ``$1``, ``$2`` and so on.
    """
    prefix = _prefix()
    if prefix is None:
        pytest.skip("file systems cannot be mounted here")
    words = [*prefix, "bash", "-euc", script, "script", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
