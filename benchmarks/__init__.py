"""What speed is claimed, measured: everything in ratios of one run, interleaved, minimum over repeats."""
