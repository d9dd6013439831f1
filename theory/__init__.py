"""The analytic side of dcrit: circuits in competition, solved without training anything."""
