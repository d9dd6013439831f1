"""Finished runs of studies on disk: what makes a run that of this module, on these data, trained this way."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from dcrit.empirics.runs.addressed import address_of, canonical
from dcrit.empirics.store.kinds import STUDIES_FOLDER
from dcrit.empirics.store.store import ParquetStore
from dcrit.empirics.study.design import SEEDS_A_SIZE
from dcrit.empirics.study.module_runs import MODULE_CURVES, ModuleRun, ModuleRunConfig

#: Version of how a study trains. Runs of another version are not taken for runs of this one.
STUDY_PROTOCOL = 1

#: Digits of a hash that people are shown.
SHOWN = 8

#: Columns that hold one number a run, beside its curves.
NUMBERS = ("homogeneity", "n_params")


@dataclass(frozen=True, kw_only=True)
class KeptConfig:
    """All that decides a run of a study. Device, threads and what the run is for do not.

    Attributes:
        structure: Hash of the module's layers and code.
        weights: Hash of its first parameters and buffers.
        data: Hash of all examples and labels.
        run: How it is trained, on which labels, for how long, and by which seed.
    """

    structure: str
    weights: str
    data: str
    run: ModuleRunConfig

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        run = asdict(self.run)
        run["enough"] = run["enough"] if math.isfinite(run["enough"]) else None
        hashes = {"structure": self.structure, "weights": self.weights, "data": self.data}
        return hashes | {"run": run, "study_protocol": STUDY_PROTOCOL}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        run = dict(fields["run"])
        run["enough"] = math.inf if run["enough"] is None else run["enough"]
        rest = {name: fields[name] for name in ("structure", "weights", "data")}
        return cls(run=ModuleRunConfig(**run), **rest)

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return address_of(canonical(self))


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """A finished run of a study, and what decided it.

    Attributes:
        config: What decided it.
        run: Its curves.
        seconds: Processor time that it took [s].
    """

    config: KeptConfig
    run: ModuleRun
    seconds: float

    @property
    def ending(self) -> str:
        """Why it ended: at the horizon, because it had generalized for long enough, or because it diverged."""
        if not np.isfinite(self.run.curve("train_loss")[-1]):
            return "diverged"
        return "horizon" if self.run.step[-1] == self.run.config.steps else "generalized"


class StudyStore(ParquetStore[KeptConfig, KeptRun]):
    """Finished runs of studies in one folder, a file a run.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    kind = "study_protocol"
    curve_names: ClassVar[tuple[str, ...]] = ("step", *MODULE_CURVES, *NUMBERS)
    endings = ("horizon", "generalized", "diverged")

    def config_from(self, fields: dict[str, Any]) -> KeptConfig:
        """Inverse of ``KeptConfig.to_dict``."""
        return KeptConfig.from_dict(fields)

    def columns(self, run: KeptRun) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers."""
        found = {"step": run.run.step} | {name: run.run.curve(name) for name in MODULE_CURVES}
        return found | {name: np.array([getattr(run.run, name)], dtype=np.float64) for name in NUMBERS}

    def run_from(self, config: KeptConfig, curves: dict[str, np.ndarray], ending: str, seconds: float) -> KeptRun:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: Curves are lacking or not equally long.
        """
        if lacking := [name for name in self.curve_names if name not in curves]:
            raise ValueError(f"it has no {' and no '.join(lacking)}")
        if not curves["step"].size or any(curves[name].shape != curves["step"].shape for name in MODULE_CURVES):
            raise ValueError("its curves are not one value an evaluation")
        if any(curves[name].size != 1 for name in NUMBERS):
            raise ValueError("a value of the whole run is not one number")
        run = ModuleRun(
            config=config.run,
            step=curves["step"],
            curves=np.stack([curves[name] for name in MODULE_CURVES], axis=1),  # (E, 8)
            homogeneity=float(curves["homogeneity"][0]),
            n_params=int(curves["n_params"][0]),
        )
        return KeptRun(config=config, run=run, seconds=seconds)


def describe_study(config: KeptConfig) -> tuple[dict[str, Any], int, int]:
    """Module, data and recipe of a run of a study, its size and its seed among those of that size.

    Args:
        config: Of the run.
    """
    hashes = {"module": config.structure[:SHOWN], "data": config.data[:SHOWN]}
    settings = {**hashes, "n_classes": config.run.n_classes, **config.run.recipe()}
    return settings, config.run.n_train, config.run.seed % SEEDS_A_SIZE


def open_store(folder: Path | str) -> StudyStore:
    """The runs of studies in a folder of runs, made where it is not there.

    Raises:
        ValueError: It cannot be written to.
        StoreWriteError: There is no space left.
    """
    found = StudyStore(Path(folder) / STUDIES_FOLDER)
    found.prepare()
    return found
