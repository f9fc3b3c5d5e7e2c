"""Several processes that train together, one a host."""

import argparse

import jax


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that `distribute` takes."""
    group = parser.add_argument_group("several hosts", "run the same command on each, with the same --workdir on a shared disk")
    group.add_argument("--coordinator", help="HOST:PORT of the first process, or auto on TPU pods and clusters that JAX knows")
    group.add_argument("--processes", type=int, help="how many processes there are (not with auto)")
    group.add_argument("--process", type=int, help="which of them this is, from 0 (not with auto)")


def distribute(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Joins the processes of a training; without a coordinator this one trains alone.

    Raises:
      ValueError: flags that do not fit together.
    """
    alone = coordinator is None
    if (alone or coordinator == "auto") and (processes, process) != (None, None):
        raise ValueError("--processes and --process go with --coordinator HOST:PORT")
    if alone or jax.distributed.is_initialized():
        return
    if coordinator == "auto":
        jax.distributed.initialize()
        return
    if processes is None or process is None or not 0 <= process < processes:
        raise ValueError(f"--coordinator {coordinator} needs --processes N and --process from 0 to N - 1")
    jax.distributed.initialize(coordinator, processes, process)
