import math

import pytest
import torch

from dcrit.empirics.models.loss import deficits_and_losses


@pytest.mark.parametrize("lead", [(), (3,)])
def test_deficits_and_losses_are_those_of_the_definition(lead: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(*lead, 5, 7, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (*lead, 1, 7), generator=generator)
    deficits, losses = deficits_and_losses(logits.clone(), labels)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in (*lead, 7))).reshape(-1, len(lead) + 1).tolist():
        *member, example = place
        column = logits[(*member, slice(None), example)].tolist()
        label = int(labels[(*member, 0, example)])
        rivals = [value for k, value in enumerate(column) if k != label]
        expected = math.log(sum(math.exp(value) for value in column)) - column[label]
        assert float(deficits[tuple(place)]) == max(rivals) - column[label]
        assert float(losses[tuple(place)]) == pytest.approx(expected, rel=1e-12)


def test_a_tie_is_not_right_and_a_tiny_loss_keeps_its_precision() -> None:
    logits = torch.tensor([[1.0, 40.0], [1.0, 0.0], [0.0, 0.0]])
    deficits, losses = deficits_and_losses(logits, torch.tensor([[0, 0]]))
    assert deficits.tolist() == [0.0, -40.0]
    assert losses.dtype == torch.float64
    assert float(losses[1]) == pytest.approx(2 * math.exp(-40), rel=1e-6)
