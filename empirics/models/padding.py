"""Which runs may be trained in one batch: those whose arithmetic has the same shapes; without torch."""

from __future__ import annotations

from dcrit.empirics.runs.single import RunConfig


def padded_rows(n_train: int) -> int:
    """Rows a training set of that size is padded to: up to 1/4 more, so that similar sizes share a batch.

    Depends on the member alone, hence every member's arithmetic has the same shapes in any batch.
    """
    granule = max(4, 1 << max(0, n_train.bit_length() - 3))
    return -(-n_train // granule) * granule


def rows_of(config: RunConfig) -> int:
    """Rows a run's training set is padded to.

    Large sets of some families fill a batch alone, and padding would only cost: it is 1/16 at most. Small ones of
    networks that start generalized are padded to 1/8 of the larger set before: runs that share it share a batch, too.
    """
    if config.start == "generalized":
        return max(padded_rows(config.n_train), padded_rows(config.before.n_train // 8))
    large = config.problem.family.large_set
    if large is not None and config.n_train > large:
        return -(-config.n_train // 64) * 64
    return padded_rows(config.n_train)


def batch_key(config: RunConfig) -> tuple[object, ...]:
    """What members of one batch have in common."""
    problem = config.problem
    return (
        problem.model,
        problem.activation,
        problem.n_symbols,
        problem.n_classes,
        problem.width,
        problem.depth,
        *problem.optimizer.values(),
        rows_of(config),
        config.horizon,
        config.precision,
        config.start,
    )
