"""Comparison figures: axes and results in, drawings out, no files."""
