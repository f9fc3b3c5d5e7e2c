"""The compact state of a training: a few small files from which it goes on on another machine.

A folder holds the arrays in parts `state-K-of-N-SEQUENCE.npz`, those of earlier stages, which never change, in
`frozen-K-of-N.npz`, and `state.json`, which lists the parts with their SHA-256 and says what is in them. A part is less than
15 MiB, all are less than 60 MB: what would be more is stored with less precision, as `stored` of the list says by group. New
parts are complete before the list names them, and old ones are removed after that, so a folder always holds a whole state.
"""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.serialization import from_state_dict
from flax.traverse_util import empty_node, unflatten_dict

from jaxgan.checkpoints import parts
from jaxgan.checkpoints import training as checkpoint
from jaxgan.checkpoints.parts import flat
from jaxgan.checkpoints.training import Loaded
from jaxgan.configs.schema import STAGES, Config, from_dict, stage_of, to_dict
from jaxgan.errors import CheckpointError, DamagedError
from jaxgan.runtime import atomic_write
from jaxgan.training.run import MODULES, frozen_variables, images_seen, init_state
from jaxgan.training.state import TrainState

PyTree = Any
LIST = "state.json"
TOTAL_BYTES = 59_500_000  # of arrays; with headers and list all files are still under 60 MB
DROPPED = "dropped"

# How the groups "moments" (the whole of Adam's state), "averages" (for inference), "frozen" and "parameters" are stored, if not
# as they are.
Plan = dict[str, str]
_HALF = {"averages": "float16", "frozen": "float16"}
PLANS: tuple[Plan, ...] = (
    {},
    {"moments": "bfloat16"},
    {"moments": "bfloat16", **_HALF},
    {"moments": DROPPED},
    {"moments": DROPPED, **_HALF},
    {"moments": DROPPED, **_HALF, "parameters": "float16"},
)


@dataclasses.dataclass(frozen=True)
class Found:
    """What a folder holds."""

    listed: dict[str, Any]  # the contents of its list
    config: Config
    state: TrainState  # on the host; moments that were dropped are those of a fresh Adam
    earlier: Loaded | None  # the stages before, as far as this one needs them


class Compact:
    """Saves the states of one training into a folder."""

    def __init__(self, folder: str | Path, config: Config, earlier: Loaded | None, found: Found | None):
        """Goes on from what was found in the folder, or, where that is None, writes the frozen variables first.

        Raises:
          CheckpointError: the state is too large by every plan.
        """
        self.folder, self.config = Path(folder), config
        stage = stage_of(config)
        frozen = frozen_variables(stage, earlier)
        self.plan = choose_plan(jax.eval_shape(lambda: init_state(stage, config, earlier)), frozen)
        self._kind = partial(_stored_as, plan=self.plan)
        self._sequence, self._earlier = 0, None
        self.earlier = earlier  # as it is stored: every slice trains with the same numbers
        if found:
            self._sequence, self._earlier = found.listed["sequence"], found.listed["earlier"]
            self.earlier = found.earlier
        elif earlier:
            described = {
                "stage": earlier.stage,
                "step": earlier.step,
                "config": to_dict(earlier.config),
                "sha256": parts.digest(frozen),
            }
            self._earlier = {**described, **parts.write(self.folder, "frozen-{}-of-{}.npz", {"frozen": frozen}, self._kind)}
            self.earlier = _read_earlier(self.folder, self._earlier)

    def save(self, state: TrainState, usable: bool) -> None:
        """Writes a state and removes the one before.

        Args:
          state: as the steps return it.
          usable: whether the networks are complete, and later stages may start from them.
        """
        self._sequence += 1
        listed = {
            "stage": stage_of(self.config),
            "step": int(state.step),
            "images": images_seen(self.config, state),
            "usable": usable,
            "sequence": self._sequence,
            "stored": self.plan,
            "config": to_dict(self.config),
            "earlier": self._earlier,
            "state": parts.write(self.folder, f"state-{{}}-of-{{}}-{self._sequence}.npz", state, self._kind),
        }
        with atomic_write(self.folder / LIST) as file:
            file.write(json.dumps(listed).encode())
        kept = listed["state"]["parts"]
        for path in [*self.folder.glob("state-*.npz"), *self.folder.glob(".state*")]:  # those of a cut run too
            if path.name not in kept:
                path.unlink()


def read(folder: str | Path) -> Found:
    """The state that a folder holds.

    Raises:
      DamagedError: a file is missing or not what was written; the message names it.
      CheckpointError: there is none, or it does not fit its configuration.
    """
    folder = Path(folder)
    listed = _read_list(folder / LIST)
    stage = listed["stage"]
    config = from_dict(STAGES[stage], listed["config"])
    earlier = _read_earlier(folder, listed["earlier"]) if listed["earlier"] else None
    arrays = parts.read(folder, listed["state"])
    like = jax.eval_shape(lambda: init_state(stage, config, earlier))
    for path, leaf in flat(like).items():
        if leaf is empty_node or _stored_as(path, leaf, listed["stored"]) is None:
            arrays[path] = {} if leaf is empty_node else np.zeros(leaf.shape, leaf.dtype)
        elif getattr(arrays.get(path), "shape", None) != leaf.shape:
            found = list(arrays[path].shape) if path in arrays else "missing"
            raise CheckpointError(f"{folder}: state {path} is {found} there, {list(leaf.shape)} by the configuration")
    state = from_state_dict(like, unflatten_dict(arrays, sep="/"))
    return Found(listed, config, jax.tree.map(jnp.asarray, state), earlier)


def load(folder: str | Path) -> Loaded:
    """What inference and later stages need, of a folder with a compact state or of the working folder of a training.

    Raises:
      DamagedError, CheckpointError: as for `read` and checkpoint.load, or the networks still grow.
    """
    if not (Path(folder) / LIST).exists():
        return checkpoint.load(folder)
    found = read(folder)
    if not found.listed["usable"]:
        raise CheckpointError(f"{folder}: the networks still grow; train them to the last resolution")
    stage, step = found.listed["stage"], found.listed["step"]
    model = MODULES[stage].inference_variables(found.state)
    return Loaded(step, stage, found.config, model, frozen_variables(stage, found.earlier))


def choose_plan(state: PyTree, frozen: PyTree) -> Plan:
    """The first plan by which state and frozen variables (arrays or ShapeDtypeStructs) are small enough.

    Raises:
      CheckpointError: there is none.
    """
    leaves = {**flat(state), **flat({"frozen": frozen})}
    for plan in PLANS:
        types = {path: _stored_as(path, leaf, plan) for path, leaf in leaves.items() if leaf is not empty_node}
        size = sum(leaves[path].size * kind.itemsize for path, kind in types.items() if kind)
        if size <= TOTAL_BYTES:
            return plan
    raise CheckpointError(f"the state is {size / 1e6:.0f} MB in its smallest form, more than {TOTAL_BYTES / 1e6:.0f} MB")


def _group(path: str) -> str:
    names = path.split("/")
    if names[0] == "opt_state" and names[2] == "0":  # 1 is the schedule of learning rates, which goes on in any case
        return "moments"
    if "batch_stats" in names:  # few, and of any magnitude
        return "statistics"
    return {"params": "parameters", "ema": "averages", "frozen": "frozen"}.get(names[0], "rest")


def _stored_as(path: str, leaf: Any, plan: Plan) -> np.dtype | None:
    """The type with which an array is stored; None for one that is left out."""
    kind = plan.get(_group(path))
    if kind == DROPPED:
        return None
    return jnp.dtype(kind) if kind and jnp.issubdtype(leaf.dtype, np.floating) else np.dtype(leaf.dtype)


def _read_list(path: Path) -> dict[str, Any]:
    try:
        listed = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} holds no {path.name}: is it the --state of a training?") from None
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: it cannot be read") from error
    wanted = {"stage", "step", "usable", "sequence", "stored", "config", "earlier", "state"}
    if not isinstance(listed, dict) or not wanted <= listed.keys() or listed["stage"] not in STAGES:
        raise CheckpointError(f"{path} is not the list of a compact state")
    return listed


def _read_earlier(folder: Path, listed: dict[str, Any]) -> Loaded:
    frozen = jax.tree.map(jnp.asarray, unflatten_dict(parts.read(folder, listed), sep="/")["frozen"])
    stage = listed["stage"]
    own = {"inverter": frozen["inverter"]} if stage == "inverter" else frozen
    others = {name: tree for name, tree in frozen.items() if name not in own}
    return Loaded(listed["step"], stage, from_dict(STAGES[stage], listed["config"]), own, others)
