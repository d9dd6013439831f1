"""Claims under test, one module each."""

from typing import Any

from dcrit.empirics.claims.capacity_linear import CLAIM as CAPACITY_LINEAR
from dcrit.empirics.claims.claim import Claim
from dcrit.empirics.claims.dcrit_decay_free import CLAIM as DCRIT_DECAY_FREE
from dcrit.empirics.claims.dcrit_falls_with_size import CLAIM as DCRIT_FALLS_WITH_SIZE
from dcrit.empirics.claims.dcrit_predicted import CLAIM as DCRIT_PREDICTED
from dcrit.empirics.claims.dcrit_vs_modulus import CLAIM as DCRIT_VS_MODULUS
from dcrit.empirics.claims.dd_below_star import CLAIM as DD_BELOW_STAR
from dcrit.empirics.claims.dd_effective_dim import CLAIM as DD_EFFECTIVE_DIM
from dcrit.empirics.claims.dd_harder_task import CLAIM as DD_HARDER_TASK
from dcrit.empirics.claims.dd_peak_sqrt import CLAIM as DD_PEAK_SQRT
from dcrit.empirics.claims.delay_law import CLAIM as DELAY_LAW
from dcrit.empirics.claims.emergence_finetune import CLAIM as EMERGENCE_FINETUNE
from dcrit.empirics.claims.emergence_multitask import CLAIM as EMERGENCE_MULTITASK
from dcrit.empirics.claims.emergence_split import CLAIM as EMERGENCE_SPLIT
from dcrit.empirics.claims.four_dynamics import CLAIM as FOUR_DYNAMICS
from dcrit.empirics.claims.gen_efficiency_flat import CLAIM as GEN_EFFICIENCY_FLAT
from dcrit.empirics.claims.mem_efficiency_falls import CLAIM as MEM_EFFICIENCY_FALLS
from dcrit.empirics.claims.regime_labels import CLAIM as REGIME_LABELS
from dcrit.empirics.claims.semi_grokking import CLAIM as SEMI_GROKKING
from dcrit.empirics.claims.star_located import CLAIM as STAR_LOCATED
from dcrit.empirics.claims.task_isomorphism import CLAIM as TASK_ISOMORPHISM
from dcrit.empirics.claims.ungrokking import CLAIM as UNGROKKING

#: Every claim by its id, in the order of the verdict table.
CLAIMS: dict[str, Claim[Any]] = {
    claim.id: claim
    for claim in (
        GEN_EFFICIENCY_FLAT,
        MEM_EFFICIENCY_FALLS,
        DCRIT_PREDICTED,
        DCRIT_DECAY_FREE,
        DCRIT_FALLS_WITH_SIZE,
        CAPACITY_LINEAR,
        FOUR_DYNAMICS,
        STAR_LOCATED,
        REGIME_LABELS,
        DD_BELOW_STAR,
        DD_HARDER_TASK,
        DD_PEAK_SQRT,
        DD_EFFECTIVE_DIM,
        UNGROKKING,
        SEMI_GROKKING,
        DELAY_LAW,
        EMERGENCE_MULTITASK,
        EMERGENCE_FINETUNE,
        EMERGENCE_SPLIT,
        DCRIT_VS_MODULUS,
        TASK_ISOMORPHISM,
    )
}
