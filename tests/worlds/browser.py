"""A real browser that is closed to the network as far as flags can close it, and what a page in it asked for."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)

#: Names of the browser and of its driver, as Debian's packages chromium and chromium-driver install them.
PROGRAMS = ("chromium", "chromedriver")


@contextmanager
def chrome(profile: Path) -> Iterator[Chrome]:
    """A browser with a fresh profile; the test is skipped where there is none, and fails where there has to be one."""
    chromium, driver = (shutil.which(program) for program in PROGRAMS)
    if chromium is None or driver is None:
        missing = "needs a browser: install the packages chromium and chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = Chrome(options=options, service=ChromeService(executable_path=driver))
    yield found
    found.quit()


def requests(browser: Chrome, page: Path) -> list[str]:
    """Addresses that the page asked for since this was last asked, those inside the page left out."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    # The browser's own first page asks for its parts as well.
    addresses = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].partition("#")[0] == page.as_uri()
    ]
    return [address for address in addresses if not address.startswith(("data:", "blob:"))]
