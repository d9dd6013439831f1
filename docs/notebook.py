# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Notebook: predict, train, compare
#
# Everything here takes less than half a minute on two cores. To run it yourself:
# `jupytext --to ipynb docs/notebook.py`, or open the file as a notebook in an editor that knows cells.
#
# ## Predict
#
# The task is addition modulo 23: 529 pairs, of which a network sees D in training. Nothing is trained here.

# %%
import tempfile

import torch

import dcrit

store = tempfile.mkdtemp()  # runs are kept in this folder
problem = dcrit.Problem(task="add", modulus=23, width=64)
prediction = dcrit.predict(problem)
interval = prediction.interval
print(f"predicted: {prediction.critical_size:.0f} examples, {interval.low:.0f} to {interval.high:.0f}")
prediction

# %% [markdown]
# ## Train
#
# One network each on too few examples, on about the predicted size, and on more than enough.

# %%
sizes = [80, 170, 300]
runs = dcrit.train(problem, n_train=sizes, seeds=1, store=store)
runs.to_polars().select("n_train", "seed", "dynamics", "train_accuracy", "test_accuracy", "generalized_at")

# %% [markdown]
# ## Overlay
#
# Measured training curves, and over them in black those that the theory expects.

# %%
axes = runs.plot()
for size in sizes:
    expected = dcrit.simulate(problem, size).to_polars()
    axes.plot(expected["steps"], expected["test_accuracy"], ":", color="black")

# %% [markdown]
# The critical size itself, measured: training-set sizes are chosen until the interval is narrow. The band is the
# prediction.

# %%
measured = dcrit.measure(problem, tolerance=0.1, store=store)
print(f"measured: {measured.critical_size:.0f} examples, {measured.interval.low:.0f} to {measured.interval.high:.0f}")
axes = measured.plot()

# %% [markdown]
# ## Phase diagram
#
# The runs above lie on a line of one model size. The map says what other sizes would show.

# %%
axes = dcrit.phase_diagram(problem, points=100).plot(runs=runs)

# %% [markdown]
# ## Your own module
#
# Any module and any finite set of labelled examples. Here the label is whether the product of the first two of eight
# signs is −1. The study looks for the training-set size at which this network stops memorizing. With `predict=True`,
# the default, that size is predicted as well, by more runs ([how-to](how-to/bring-your-own.md)).


# %%
def factory(seed: int) -> torch.nn.Module:
    """A new network; torch's generator was seeded before."""
    return torch.nn.Sequential(
        torch.nn.Linear(8, 24, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(24, 2, bias=False),
    )


inputs, labels = dcrit.sparse_parity(8, 2, 256)
found = dcrit.study(factory, inputs, labels, learning_rate=3e-2, steps=500, predict=False, seeds=1, max_runs=6)
print(f"measured: {found.critical_size:.0f} examples, {found.interval.low:.0f} to {found.interval.high:.0f}")
axes = found.plot()
