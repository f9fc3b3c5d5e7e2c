"""What a compiler says of training steps, for devices that need not be there."""

import json
import time
from typing import Any, TextIO

import jax

from jaxgan.configs import Config
from jaxgan.training import lazy


def weights(config: Config, r1: bool) -> list[float]:
    """Of the terms in a step: all of them, or with R1 left out none."""
    return [weight * interval if r1 else 0.0 for weight, interval in lazy.terms(config)]


def compiled(lowered: jax.stages.Lowered, options: dict[str, int | bool] | None = None) -> dict[str, float]:
    """What the compiler says of a step on one device: seconds to compile, GB that it needs, operations and traffic.

    The GB are arguments, temporaries and results less those results that take an argument's place. Operations inside of a loop
    are counted once, whatever its length.
    """
    started = time.perf_counter()
    done = lowered.compile(compiler_options=options)
    seconds, memory = time.perf_counter() - started, done.memory_analysis()
    needed = memory.argument_size_in_bytes + memory.temp_size_in_bytes + memory.output_size_in_bytes
    return {
        "compile_s": round(seconds, 1),
        "gb": round((needed - memory.alias_size_in_bytes) / 1e9, 3),
        "temp_gb": round(memory.temp_size_in_bytes / 1e9, 3),
        "gflop": digits(cost(done, "flops") / 1e9),
        "gb_accessed": digits(cost(done, "bytes accessed") / 1e9),
    }


def cost(step: jax.stages.Compiled | jax.stages.Lowered, of: str) -> float:
    """FLOPs ("flops") or traffic ("bytes accessed") of a step on one device; NaN for GPUs that are not there."""
    found = step.cost_analysis()
    found = found[0] if isinstance(found, list) else found
    return (found or {}).get(of, float("nan"))


def digits(value: float) -> float:
    """Four of them, however small the value is."""
    return float(f"{value:.4g}")


def write(out: TextIO, row: dict[str, Any]) -> None:
    """Appends a JSON line, at once: a run that is cut off loses none."""
    print(json.dumps(row), file=out, flush=True)
