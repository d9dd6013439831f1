"""Claims under test, one module each."""

from typing import Any

from dcrit.empirics.claims.capacity_linear import CLAIM as CAPACITY_LINEAR
from dcrit.empirics.claims.claim import Claim
from dcrit.empirics.claims.dcrit_predicted import CLAIM as DCRIT_PREDICTED
from dcrit.empirics.claims.delay_law import CLAIM as DELAY_LAW
from dcrit.empirics.claims.emergence_finetune import CLAIM as EMERGENCE_FINETUNE
from dcrit.empirics.claims.emergence_multitask import CLAIM as EMERGENCE_MULTITASK
from dcrit.empirics.claims.emergence_split import CLAIM as EMERGENCE_SPLIT
from dcrit.empirics.claims.four_dynamics import CLAIM as FOUR_DYNAMICS
from dcrit.empirics.claims.gen_efficiency_flat import CLAIM as GEN_EFFICIENCY_FLAT
from dcrit.empirics.claims.mem_efficiency_falls import CLAIM as MEM_EFFICIENCY_FALLS

#: Every claim by its id, in the order of the verdict table.
CLAIMS: dict[str, Claim[Any]] = {
    claim.id: claim
    for claim in (
        GEN_EFFICIENCY_FLAT,
        MEM_EFFICIENCY_FALLS,
        DCRIT_PREDICTED,
        CAPACITY_LINEAR,
        FOUR_DYNAMICS,
        DELAY_LAW,
        EMERGENCE_MULTITASK,
        EMERGENCE_FINETUNE,
        EMERGENCE_SPLIT,
    )
}
