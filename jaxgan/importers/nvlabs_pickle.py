"""Reading pickles of dnnlib's networks (NVlabs/stylegan and stylegan2) without TensorFlow and without running their code.

A network's own source code, which such files carry along, is dropped unread.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.importers.restricted_pickle import Array, RefusedError, Unpickler, described, reading


@dataclass(frozen=True)
class Network:
    """What a file says of one network."""

    name: str
    build_function: str  # name of the Python function that defined it
    static_kwargs: dict[str, Any]  # that function's keyword arguments
    variables: dict[str, np.ndarray]  # the network's own, without its components'
    components: dict[str, "Network"]  # sub-networks, such as "mapping" and "synthesis"


STYLEGAN2_GENERATORS = ("G_main", "training.networks_stylegan2.G_main")
TRY_STYLEGAN2 = "not of StyleGAN: try `jaxgan convert stylegan2`"
HINTS = {"torch_utils.persistence": f"holds networks in PyTorch, {TRY_STYLEGAN2}"}


class Networks(NamedTuple):
    """The three networks of a StyleGAN file."""

    generator: Network
    discriminator: Network
    averaged_generator: Network  # running average of the generator, the one to use


class StoredNetwork:
    """Stand-in for dnnlib's Network: keeps its state."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


STAND_INS = {("dnnlib.tflib.network", "Network"): StoredNetwork}


def read_networks(path: str | Path) -> Networks:
    """The networks (G, D, Gs) of a pickle written by NVlabs/stylegan.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it is no such pickle, is cut short, or names anything but arrays, plain containers and networks;
        the message gives the file and what was refused.
    """
    with reading(path):
        with open(path, "rb") as file:
            networks = typed(Unpickler(file, STAND_INS, HINTS).load())
        if networks.averaged_generator.build_function in STYLEGAN2_GENERATORS:
            raise RefusedError(f"holds networks of StyleGAN2, {TRY_STYLEGAN2}")
        return networks


def typed(stored: Any) -> Networks:
    """The typed form of what such a pickle holds.

    Raises:
      RefusedError: it is not three networks.
    """
    if not isinstance(stored, tuple | list) or len(stored) != 3:
        raise RefusedError(f"holds {described(stored)}, not the three networks (G, D, Gs)")
    return Networks(*(_network(item, where) for item, where in zip(stored, ("G", "D", "Gs"), strict=True)))


def _network(stored: Any, where: str) -> Network:
    """The typed form of a stored network; `where` is its place in the file, for messages."""
    if not isinstance(stored, StoredNetwork):
        raise RefusedError(f"holds {described(stored)} in place of the network {where}")
    state = getattr(stored, "state", None)
    if not isinstance(state, dict) or not isinstance(state.get("variables"), list | tuple):
        raise RefusedError(f"the network {where} has no variables")
    variables = {}
    for pair in state["variables"]:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise RefusedError(f"the network {where} has a variable that is no pair of name and array")
        name, value = pair
        value = getattr(value, "value", None) if isinstance(value, Array) else value
        if not isinstance(value, np.ndarray | np.generic):
            raise RefusedError(f"the variable {where}/{name} is {described(value)}, not an array")
        variables[name] = np.asarray(value)
    components = state.get("components") or {}
    return Network(
        name=str(state.get("name")),
        build_function=str(state.get("build_func_name")),
        static_kwargs={str(name): value for name, value in (state.get("static_kwargs") or {}).items()},
        variables=variables,
        components={str(name): _network(component, f"{where}/{name}") for name, component in components.items()},
    )
