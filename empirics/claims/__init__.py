"""Claims under test, one module each: those that define a ``CLAIM``."""
