"""Experiments that claims and figures rest on, one module each."""
