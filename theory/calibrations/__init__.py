"""Calibrations that ship with the package, each measured by ``dcrit calibrate``."""
