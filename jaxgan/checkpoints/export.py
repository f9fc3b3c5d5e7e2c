"""Small folders of one checkpoint: networks for inference, or a whole training state, within limits of size.

Precision is given up only where a limit asks for it, in the order of `PLANS`.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.serialization import from_state_dict

from jaxgan import storage
from jaxgan.configs import Config, from_dict, to_dict
from jaxgan.errors import CheckpointError, DamagedError, InputError
from jaxgan.training.stages import STAGES, Networks, Stage, stage_of
from jaxgan.training.state import TrainState

NETWORKS, RUN = "networks", "training run"  # kinds of folders
DROPPED = "dropped"

# How groups of arrays are stored, if not as they are: "moments" (Adam's whole state), "averages" and "networks" (for inference)
# and "parameters" (of the training state).
Plan = dict[str, str]
HALF: Plan = {"averages": "float16", "networks": "float16"}
PLANS: tuple[Plan, ...] = (
    {},
    {"moments": "bfloat16"},
    {"moments": "bfloat16", **HALF},
    {"moments": DROPPED},
    {"moments": DROPPED, **HALF},
    {"moments": DROPPED, **HALF, "parameters": "float16"},
)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What a folder holds."""

    step: int
    config: Config
    networks: Networks  # for inference; empty while they grow
    stored: Plan
    framing: dict[str, float] | None = None
    earlier: Networks | None = None  # of a training run: the networks it started from
    state: TrainState | None = None  # of a training run, on the host; moments that were dropped are those of a fresh Adam


def write_networks(
    folder: str | Path,
    step: int,
    config: Config,
    networks: Networks,
    *,
    half: bool = False,
    framing: Mapping[str, float] | None = None,
    max_file_bytes: int | None = None,
) -> list[Path]:
    """Writes networks for inference and returns the files.

    Args:
      half: Stores floats in half precision, except running statistics.
      framing: Where faces lie in the training portraits on average, the fields of data.framing.MeanFraming.
      max_file_bytes: Largest file.

    Raises:
      InputError: One array alone is larger than that.
    """
    plan = HALF if half else {}
    flat = {f"networks/{path}": leaf for path, leaf in storage.flatten(jax.device_get(networks)).items()}
    about = _about(step, config, plan) | {"framing": dict(framing) if framing else None}
    return storage.write(folder, NETWORKS, _stored(flat, set(), plan), about, max_file_bytes)


def write_run(
    folder: str | Path,
    config: Config,
    earlier: Networks,
    state: TrainState,
    usable: bool,
    *,
    max_total_bytes: int | None = None,
    max_file_bytes: int | None = None,
) -> Plan:
    """Writes a training state, from which the run resumes on another machine, and returns how it is stored.

    Args:
      earlier: The networks that the stage started from.
      usable: Whether the networks are complete, that is, have grown to their last resolution.
      max_total_bytes: Largest size of all arrays; precision is given up to stay below it.
      max_file_bytes: Largest file.

    Raises:
      InputError: The state is too large by every plan.
    """
    state = jax.device_get(state)
    moments = _moments(state)
    flat = {f"state/{path}": leaf for path, leaf in storage.flatten(state).items()}
    flat |= {f"networks/{path}": leaf for path, leaf in storage.flatten(jax.device_get(earlier)).items()}
    plan = choose_plan(flat, moments, max_total_bytes)
    about = _about(int(state.step), config, plan) | {"images": int(state.images), "usable": usable}
    storage.write(folder, RUN, _stored(flat, moments, plan), about, max_file_bytes)
    return plan


def read(folder: str | Path) -> Exported:
    """What `write_networks` or `write_run` wrote.

    Raises:
      DamagedError: A file is missing or not what was written; the message names it.
      CheckpointError: The folder holds something else, or does not fit its own configuration.
    """
    kind = storage.contents(folder).kind
    if kind not in (NETWORKS, RUN):
        raise CheckpointError(f"{folder} holds {kind}, not networks")
    about, arrays = storage.read(folder, kind)
    try:
        stage = STAGES[about["stage"]]
        step, stored, config = about["step"], about["stored"], from_dict(stage.config, about["config"])
    except KeyError as error:
        raise DamagedError(f"{folder}: {storage.LIST} lacks {error}") from None
    flat = {path.removeprefix("networks/"): leaf for path, leaf in arrays.items() if path.startswith("networks/")}
    networks = jax.tree.map(_float32, storage.nest(flat))
    if kind == NETWORKS:
        return Exported(step, config, networks, stored, about["framing"])
    state = _read_state(folder, stage, config, networks, arrays, stored)
    usable = {**networks, **stage.export(state)} if about["usable"] else {}
    return Exported(step, config, usable, stored, earlier=networks, state=state)


def choose_plan(arrays: Mapping[str, Any], moments: set[str], max_total_bytes: int | None) -> Plan:
    """The first plan by which the arrays are small enough.

    Raises:
      InputError: There is none.
    """
    for plan in PLANS:
        kinds = {path: _kind(path, leaf, moments, plan) for path, leaf in arrays.items() if not isinstance(leaf, dict)}
        size = sum(int(np.prod(arrays[path].shape)) * kind.itemsize for path, kind in kinds.items() if kind)
        if max_total_bytes is None or size <= max_total_bytes:
            return plan
    raise InputError(f"the state has {size / 1e6:.0f} MB in its smallest form, more than {max_total_bytes / 1e6:.0f} MB")


def _about(step: int, config: Config, plan: Plan) -> dict[str, Any]:
    return {"stage": stage_of(config).name, "step": step, "stored": plan, "config": to_dict(config)}


def _moments(state: TrainState) -> set[str]:
    """Paths of Adam's count and moments, which start anew together."""

    def is_adam(node: Any) -> bool:
        return isinstance(node, optax.ScaleByAdamState)

    marked = jax.tree.map(lambda node: jax.tree.map(lambda _: is_adam(node), node), state.opt_state, is_leaf=is_adam)
    return {f"state/opt_state/{path}" for path, is_moment in storage.flatten(marked).items() if is_moment is True}


def _group(path: str, moments: set[str]) -> str:
    if path in moments:
        return "moments"
    names = path.split("/")
    if "batch_stats" in names:  # few, and of any magnitude
        return "statistics"
    groups = {("state", "params"): "parameters", ("state", "ema"): "averages"}
    return "networks" if names[0] == "networks" else groups.get(tuple(names[:2]), "rest")


def _kind(path: str, leaf: Any, moments: set[str], plan: Plan) -> np.dtype | None:
    """The type with which an array is stored; None for one that is left out."""
    kind = plan.get(_group(path, moments))
    if kind == DROPPED:
        return None
    return jnp.dtype(kind) if kind and jnp.issubdtype(leaf.dtype, np.floating) else np.dtype(leaf.dtype)


def _stored(arrays: Mapping[str, Any], moments: set[str], plan: Plan) -> dict[str, Any]:
    made = {}
    for path, leaf in arrays.items():
        if isinstance(leaf, dict):
            made[path] = leaf
        elif (kind := _kind(path, leaf, moments, plan)) is not None:
            made[path] = np.asarray(leaf).astype(kind)
    return made


def _float32(array: np.ndarray) -> jax.Array:
    return jnp.asarray(array, jnp.float32 if jnp.issubdtype(array.dtype, np.floating) else array.dtype)


def _read_state(
    folder: str | Path, stage: Stage, config: Config, networks: Networks, arrays: Mapping[str, Any], stored: Plan
) -> TrainState:
    like = jax.eval_shape(lambda: stage.init(config, networks))
    moments, flat = _moments(like), {}
    for path, leaf in storage.flatten(like).items():
        found = arrays.get(f"state/{path}")
        if isinstance(leaf, dict):
            flat[path] = {}
        elif f"state/{path}" in moments and stored.get("moments") == DROPPED:
            flat[path] = np.zeros(leaf.shape, leaf.dtype)
        elif getattr(found, "shape", None) != leaf.shape:
            there = "missing" if found is None else list(found.shape)
            raise CheckpointError(f"{folder}: state {path} is {there} there, {list(leaf.shape)} by the configuration")
        else:
            flat[path] = np.asarray(found).astype(leaf.dtype)
    return jax.tree.map(jnp.asarray, from_state_dict(like, storage.nest(flat)))
