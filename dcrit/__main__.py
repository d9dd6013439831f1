"""``python -m dcrit`` is ``dcrit``."""

from dcrit.cli.app import main

main()
