"""Tools of the speed benchmark: timing in turns, tables, networks of a preset, and a compiled training step."""

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ahead
import jax
import numpy as np

from jaxgan.checkpoints import Loaded
from jaxgan.configs import Config, GrowingConfig, PerceptualConfig, override, preset
from jaxgan.faces import portraits as synthetic
from jaxgan.training import parallel
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES, Networks

BATCH = 16  # images per call outside training
PAUSE = 0.3  # seconds; the threads of another library keep spinning for some time after a call
TARGETS = {"landmarks": 100.0, "pipeline": 5.0, "peer": 2.0}  # required speed-up over what each is compared with
DTYPES = {
    "stylegan": ("generator", "discriminator"),
    "inverter": ("generator", "discriminator", "trunk"),
    "editor": ("generator", "discriminator", "inverter", "encoder.trunk", "stylegan_discriminator"),
}

Args = argparse.Namespace


def timed(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; calls take turns, after two warm-up rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 2):
        for name, call in calls.items():
            time.sleep(PAUSE)
            started = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(each[2:])) for name, each in seconds.items()}


def table(header: str, rows: Iterable[Sequence[Any]]) -> None:
    """Prints a Markdown table; header cells are separated by "|"."""
    cells = [header.split("|"), ["---"] * (header.count("|") + 1), *rows]
    for row in cells:
        print("| " + " | ".join(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row) + " |", flush=True)


def report(calls: dict[str, tuple[int, Callable[[], Any]]], repeats: int) -> None:
    """Times calls, given with the number of images each makes, and prints a table of them."""
    seconds = timed({name: call for name, (_, call) in calls.items()}, repeats)
    table("what|images/s|ms", ((name, calls[name][0] / each, each * 1e3) for name, each in seconds.items()))


def judged(ratio: float, what: str) -> str:
    """A ratio with its target and whether it meets it."""
    return f"{ratio:.2f}x: {'pass' if ratio >= TARGETS[what] else 'miss'} (target {TARGETS[what]:g}x)"


def configs(args: Args) -> dict[str, Config]:
    """The three stages of the preset in the requested dtype, without growing and without weights from other projects."""
    made: dict[str, Config] = {}
    for stage, parts in DTYPES.items():
        config = override(preset(args.preset, stage), [f"{part}.dtype={args.dtype}" for part in parts])
        if stage == "stylegan":
            config = dataclasses.replace(config, growing=GrowingConfig())
        elif config.perceptual.network == "vgg16":
            config = dataclasses.replace(config, perceptual=PerceptualConfig(network="discriminator", weight=0.1))
        made[stage] = config
    return made


def checkpoints(made: dict[str, Config]) -> dict[str, Loaded]:
    """The checkpoint of each stage before its first step."""
    found: dict[str, Loaded] = {}
    networks: Networks = {}
    for stage, config in made.items():
        networks = {**networks, **STAGES[stage].export(STAGES[stage].init(config, networks))}
        found[stage] = Loaded(0, stage, config, networks)
    return found


def portraits(count: int, resolution: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Procedural portraits: images, keypoints and names."""
    return *synthetic.portraits(0, range(count), resolution), [synthetic.record_name(0, i) for i in range(count)]


def training_batch(config: Config) -> dict[str, np.ndarray]:
    images, keypoints, _ = portraits(config.run.batch_size, config.generator.resolution)
    return {"image": images, "keypoints": keypoints, "target_keypoints": keypoints[::-1].copy()}


class Step:
    """A compiled training step; each call continues from the state that the previous one left."""

    def __init__(self, stage: str, config: Config, earlier: Loaded | None, r1: bool):
        weight = 0.5 * config.r1_gamma * config.r1_interval if r1 else 0.0
        networks = earlier.networks if earlier else {}
        self.state = parallel.replicate(STAGES[stage].init(config, networks))
        self.frozen = parallel.replicate(networks)
        self.batch = parallel.put(training_batch(config))
        started = time.perf_counter()
        step = STAGES[stage].make_step(config, phases(config)[0], weight)
        lowered = parallel.pmap_step(step).lower(self.state, self.frozen, self.batch)
        traced = time.perf_counter()
        self.step = lowered.compile()
        self.trace_seconds, self.compile_seconds = traced - started, time.perf_counter() - traced
        billions = jax.local_device_count() / 1e9
        self.gflop = billions * ahead.cost(self.step, "flops")
        self.defined_gflop = billions * ahead.cost(lowered, "flops")  # before XLA has found forms with more or fewer

    def __call__(self) -> dict[str, jax.Array]:
        self.state, metrics = self.step(self.state, self.frozen, self.batch)
        return metrics
