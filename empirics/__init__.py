"""The measuring side of dcrit: real torch networks, trained in ensembles and turned into estimates."""
