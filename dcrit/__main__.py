"""``python -m dcrit`` is ``dcrit``."""

from dcrit.cli.app import main

# Training processes import this module again; only the first one is the command.
if __name__ == "__main__":
    main()
