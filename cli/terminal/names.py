"""Quantities as people read them; documents name them as the interface does."""

from __future__ import annotations

#: Names with their symbols; any other name is read as it stands, without its strokes.
_NAMES = {
    "critical_size": "critical size D_crit",
    "ungrokking_size": "size at rest D_rest, from above",
    "hysteresis": "hysteresis ln(D_crit/D_rest)",
    "capacity": "capacity D_mem",
    "generalizing_efficiency": "generalizing efficiency e_gen",
    "implied_critical_size": "D_crit that both efficiencies imply",
    "homogeneity": "homogeneity κ",
    "effective_dimension": "effective dimensionality N_eff",
    "n_params": "parameters N",
    "n_train": "training-set size D",
}


def name_of(quantity: str) -> str:
    """A quantity in words.

    Args:
        quantity: Its name in the interface.
    """
    return _NAMES.get(quantity, quantity.replace("_", " "))
