"""Claims under test, one module each."""
