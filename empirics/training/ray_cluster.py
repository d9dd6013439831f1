"""A Ray cluster to train on: connected to, or started on this machine, and what its nodes have."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dcrit.empirics.training.cluster_address import AUTO, check_address, refusal
from dcrit.theory.checks import FieldError

#: Results are small, and pass through here [bytes].
OBJECT_STORE_BYTES = 128 << 20

#: A GPU is given out in so many parts: several small batches share one.
GPU_PARTS = 8

#: A cluster of our own reports to nobody. The last is Ray's next default; not to choose is a warning in some versions.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """What one machine of a cluster gives out.

    Attributes:
        identity: The cluster's name for it.
        cpus: Cores.
        gpus: Accelerators.
        memory: Of the host [bytes].
    """

    identity: str
    cpus: float
    gpus: float
    memory: float


def start_here(cpus: int) -> None:
    """Start a cluster on this machine; it ends with this process at the latest.

    Args:
        cpus: Tasks that train at a time.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _silence()
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=OBJECT_STORE_BYTES,
    )


def connect(address: str) -> None:
    """Connect to a cluster that this machine is a node of.

    Args:
        address: ``host:port``, or ``auto`` for the one that was started last here.

    Raises:
        ValueError: There is none.
    """
    check_address(address)
    _silence()
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        # Ray shows its token to no address that was spelled out, unless it is told to; nor do we.
        hint = "; where the cluster asks for a token, set RAY_AUTH_MODE=token" if address != AUTO else ""
        raise refusal(address, str(error).splitlines()[0] + hint) from error


def _silence() -> None:
    """Keep Ray's remarks off the terminal; what goes wrong is told by us."""
    logging.getLogger("ray").setLevel(logging.ERROR)


def nodes() -> list[Node]:
    """Nodes of the cluster that are alive and have a core to train on."""
    alive = [
        Node(
            identity=one["NodeID"],
            cpus=one["Resources"].get("CPU", 0.0),
            gpus=one["Resources"].get("GPU", 0.0),
            memory=one["Resources"].get("memory", 0.0),
        )
        for one in ray.nodes()
        if one["Alive"]
    ]
    return [node for node in alive if node.cpus >= 1]


def resolve_device(name: str, among: Sequence[Node]) -> str:
    """The device behind ``auto``, ``cpu`` or ``cuda``: a GPU where the cluster has one, else the CPU.

    Raises:
        ValueError: CUDA is asked for where no node has it.
    """
    has_gpu = any(node.gpus for node in among)
    if name == "auto":
        return "cuda" if has_gpu else "cpu"
    if name == "cuda" and not has_gpu:
        raise FieldError("device", "be 'cpu' or 'auto' on this cluster", "'cuda'", why="no node has a GPU")
    return name


def smallest_gpu(among: Sequence[Node]) -> float:
    """Memory of the smallest GPU, as a worker on each node finds it [bytes]."""
    asked = [
        ray.remote(_gpu_bytes)
        .options(
            num_cpus=0,
            num_gpus=1 / GPU_PARTS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.identity, soft=False),
        )
        .remote()
        for node in among
        if node.gpus
    ]
    return float(min(ray.get(asked)))


def _gpu_bytes() -> int:
    return torch.cuda.mem_get_info()[1]
