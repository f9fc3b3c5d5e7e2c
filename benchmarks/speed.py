"""Measures the speed of training, synthesis, editing, data, evaluation and compilation, and compares it with peers.

    python benchmarks/speed.py [SUBCOMMAND ...] [--preset small] [--repeats 5] [--dtype float32]

Each subcommand runs in its own process, so that peak memory is its own, and prints a Markdown table. Times are medians of
repeats after two warm-up calls and include waiting for the results; calls that are compared take turns. Networks have their
initial weights, which do not affect times. Training is at the preset's full resolution, without growing. `peer` needs PyTorch,
and `landmarks` needs matplotlib (`pip install -e ".[bench]"`). Only `cache` uses a persistent compilation cache.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # for peers shared with the tests
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leaves memory to PyTorch and shows the peak

import jax
import jax.numpy as jnp
import numpy as np
from measure import BATCH, Args, Step, checkpoints, configs, judged, portraits, report, table, timed
from peers import landmarks, peer

from jaxgan import Editor
from jaxgan.configs import PRESETS
from jaxgan.data.batches import array_batches, record_batches
from jaxgan.models.families import make_generator
from jaxgan.training import stylegan

STEPS = 20  # of optimised inversion
PAIRS = 16  # of the evaluation
DEVICES = (1, 2, 4)


def rates(args: Args) -> None:
    """GFLOP/s of plain 3x3 convolutions and of a matrix product, counting the operations of their definitions."""

    @jax.jit
    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    rows, best = [], 0.0
    for side, width in ((64, 64), (32, 128), (16, 256), (64, 16)):
        x, kernel = jnp.ones((16, side, side, width), args.dtype), jnp.ones((3, 3, width, width), args.dtype)
        seconds = timed({"": partial(convolve, x, kernel)}, args.repeats)[""]
        rate = 2 * 16 * side**2 * 9 * width**2 / seconds / 1e9
        rows.append((f"convolution 16x{side}x{side}, {width} to {width}", seconds * 1e3, rate))
        best = max(best, rate)
    square = jnp.ones((2048, 2048), args.dtype)
    seconds = timed({"": partial(jax.jit(jnp.dot), square, square)}, args.repeats)[""]
    rows.append(("matrix product 2048x2048x2048", seconds * 1e3, 2 * 2048**3 / seconds / 1e9))
    table("what|ms|GFLOP/s", rows)
    (args.scratch / "rate.json").write_text(json.dumps(best))


def training_speeds(args: Args) -> tuple[list[tuple], float]:
    """A row for each stage and step, and the images per second of the fastest; kept for other subcommands of the run."""
    kept = args.scratch / "steps.json"
    if kept.exists():
        return json.loads(kept.read_text())
    best = json.loads((args.scratch / "rate.json").read_text())
    made = configs(args)
    known, rows, fastest = checkpoints(made), [], 0.0
    for (stage, config), earlier in zip(made.items(), (None, known["stylegan"], known["inverter"]), strict=True):
        steps = {name: Step(stage, config, earlier, name == "with R1") for name in ("with R1", "without R1")}
        seconds, batch = timed(steps, args.repeats), config.run.batch_size
        for name, step in steps.items():
            rate = step.gflop / seconds[name]
            first = step.trace_seconds + step.compile_seconds
            row = (stage, name, batch / seconds[name], seconds[name] * 1e3, first, step.gflop, rate, f"{rate / best:.0%}")
            rows.append(row)
            fastest = max(fastest, batch / seconds[name])
        mean = (seconds["with R1"] + (config.r1_interval - 1) * seconds["without R1"]) / config.r1_interval
        rows.append((stage, f"as trained, R1 every {config.r1_interval}", batch / mean, mean * 1e3, *[""] * 4))
    kept.write_text(json.dumps((rows, fastest)))
    return rows, fastest


def steps(args: Args) -> None:
    """Training steps of the three stages. GFLOP come from XLA's cost analysis, which counts the operations that XLA runs."""
    rows, _ = training_speeds(args)
    table("stage|step|images/s|ms|s to trace and compile|GFLOP|GFLOP/s|of the convolution's", rows)


def synthesis(args: Args) -> None:
    """The generator with fixed noise, from w, and from z through the mapping."""
    config = configs(args)["stylegan"]
    generator = make_generator(config.generator)
    variables = stylegan.export(stylegan.init_state(config))["generator"]
    z = jax.random.normal(jax.random.key(0), (BATCH, config.generator.latent_size), jnp.float32)
    w = generator.apply(variables, z, method="map")
    from_w, from_z = jax.jit(partial(generator.apply, method="synthesize")), jax.jit(generator.apply)
    calls = {
        f"w to {BATCH} images": (BATCH, partial(from_w, variables, w)),
        f"z to {BATCH} images": (BATCH, partial(from_z, variables, z)),
        "w to a single image": (1, partial(from_w, variables, w[:1])),
    }
    report(calls, args.repeats)


def _editor(args: Args) -> tuple[Editor, np.ndarray, np.ndarray]:
    editor = Editor(checkpoints(configs(args))["editor"])
    images, keypoints, _ = portraits(BATCH, editor.resolution)
    return editor, images, keypoints


def inversion(args: Args) -> None:
    """Editor.invert, from images in memory to latents in memory."""
    editor, images, _ = _editor(args)
    calls = {f"encoder, {count} images": (count, partial(editor.invert, images[:count])) for count in (BATCH, 1)}
    report({**calls, f"{STEPS} steps, {BATCH} images": (BATCH, partial(editor.invert, images, steps=STEPS))}, args.repeats)


def edit(args: Args) -> None:
    """Editor.edit, from images and landmarks in memory to edited images in memory."""
    editor, images, keypoints = _editor(args)
    calls = {f"{n} images": (n, partial(editor.edit, images[:n], keypoints[:n])) for n in (BATCH, 1)}
    report(calls, args.repeats)


def pipeline(args: Args) -> None:
    """Batches with targets, from records and from arrays, compared with the fastest training step."""
    config = configs(args)["editor"]
    side, batch, count = config.generator.resolution, config.run.batch_size, 40
    prepare = ["jaxgan", "prepare", "--synthetic", "256", "--name", "bench", "--data_dir", str(args.scratch)]
    subprocess.run([sys.executable, "-m", *prepare, "--resolution", str(side)], check=True, capture_output=True)
    images, keypoints, _ = portraits(256, side)
    _, fastest = training_speeds(args)
    streams = {
        "record_batches": record_batches(args.scratch, "bench", "train", batch, seed=0, targets=True),
        "array_batches": array_batches(images, keypoints, batch, seed=0, targets=True),
    }
    seconds = timed({name: lambda s=s: [next(s) for _ in range(count)] for name, s in streams.items()}, args.repeats)
    speeds = {name: count * batch / each for name, each in seconds.items()}
    rows = [(name, speed, judged(speed / fastest, "pipeline")) for name, speed in speeds.items()]
    table("source|images/s|of the fastest step", [*rows, ("fastest training step", fastest, "")])


def evaluation(args: Args) -> None:
    """Metrics on a few pairs of pictures that have not been measured before, with the networks whose weights are cached."""
    from jaxgan.commands import evaluate
    from jaxgan.errors import DetectorError
    from jaxgan.evaluation.edits import make_edits
    from jaxgan.evaluation.measurement import NotApplicable
    from jaxgan.evaluation.metrics import METRICS
    from jaxgan.evaluation.pairs import make_pairs

    editor = _editor(args)[0]
    test, training = portraits(PAIRS, editor.resolution), portraits(2 * PAIRS, editor.resolution)
    command = ["--workdir", ".", "--data_dir", ".", "--dataset", "bench"]
    tools = dataclasses.replace(evaluate.instruments(evaluate.parse_args(command)), cache=None)
    seconds: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    for _ in range(args.repeats + 1):  # the first round compiles
        pairs = make_pairs(test, training[:2], 0)
        started = time.perf_counter()
        edits = make_edits(editor, pairs, tools)
        seconds.setdefault("edits", []).append(time.perf_counter() - started)
        for name, metric in METRICS.items():
            started = time.perf_counter()
            try:
                metric(edits)
            except (NotApplicable, DetectorError) as reason:
                notes[name] = str(reason)
            seconds.setdefault(name, []).append(time.perf_counter() - started)
    medians = {name: float(np.median(each[1:])) for name, each in seconds.items()}
    rows = [(name, PAIRS / each, each * 1e3, notes.get(name, "")) for name, each in medians.items()]
    table("metric, in this order|pairs/s|ms|not measured", [*rows, ("all", PAIRS / sum(medians.values()), "", "")])


def worker(args: Args) -> None:
    """The StyleGAN's step without R1, as JSON for `devices` and `cache`, which configure the process."""
    step = Step("stylegan", configs(args)["stylegan"], None, False)
    seconds = timed({"": step}, args.repeats)[""]
    print(json.dumps({"seconds": seconds, "trace": step.trace_seconds, "compile": step.compile_seconds}))


def _work(args: Args, **environment: str) -> dict[str, float]:
    run = subprocess.run(_command("worker", args), env=os.environ | environment, check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout.splitlines()[-1])


def devices(args: Args) -> None:
    """The StyleGAN's step without R1 on several CPU devices, which share the cores and the global batch."""
    batch, rows = configs(args)["stylegan"].run.batch_size, []
    for count in DEVICES:
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
        found = _work(args, JAX_PLATFORMS="cpu", XLA_FLAGS=flags)
        speed = batch / found["seconds"]
        rows.append((count, batch // count, speed, found["seconds"] * 1e3, f"{speed / (rows[0][2] if rows else speed):.0%}"))
    table("devices|images a device|images/s|ms|of one device's", rows)
    print(f"\n{os.cpu_count()} cores")


def cache(args: Args) -> None:
    """Seconds until the StyleGAN's step is ready, with an empty persistent cache and with the cache which that run filled."""
    rows = []
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        for state in ("empty", "filled"):
            found = _work(args, JAX_ENABLE_COMPILATION_CACHE="true", JAX_COMPILATION_CACHE_DIR=folder)
            rows.append((state, found["trace"], found["compile"], found["trace"] + found["compile"]))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    table("cache|s to trace|s to compile or load|s", rows)
    print(f"\n{size / 1e6:.1f} MB in the cache")


SUBCOMMANDS = (steps, synthesis, inversion, edit, landmarks, pipeline, evaluation, peer, devices, cache)


def _command(name: str, args: Args) -> list[str]:
    """The command line of the process of one subcommand."""
    options = {"preset": args.preset, "repeats": args.repeats, "dtype": args.dtype, "scratch": args.scratch}
    return [sys.executable, __file__, name, *(f"--{key}={value}" for key, value in options.items())]


def _peak() -> str:
    """Peak memory of this process, its largest child and its devices."""
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    text = f"peak memory {own:.0f} MiB" + (f", largest child {child:.0f} MiB" if child else "")
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    held = [each["peak_bytes_in_use"] / 2**20 for each in stats if "peak_bytes_in_use" in each]
    return text + (f", device {max(held):.0f} MiB" if held else "")


def main() -> int:
    """Runs the requested subcommands one after another, or the one of this process."""
    known = {each.__name__: each for each in SUBCOMMANDS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subcommands", nargs="*", metavar="SUBCOMMAND", help=f"default, all: {' '.join(known)}")
    parser.add_argument("--preset", choices=PRESETS, default="small", help="widths and batches (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls (default %(default)s)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of activations")
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.scratch:
        try:
            {**known, "rates": rates, "worker": worker}[args.subcommands[0]](args)
        except ModuleNotFoundError as missing:
            print(f'skipped: {missing.name} is not installed; pip install -e ".[bench]"')
            return 1
        if args.subcommands[0] != "worker":
            print(f"\n{_peak()}")
        return 0
    if unknown := [name for name in args.subcommands if name not in known]:
        parser.error(f"unknown subcommand {', '.join(unknown)}; there are {', '.join(known)}")
    print(f"preset {args.preset}, {args.dtype}, {args.repeats} repeats, {os.cpu_count()} cores, JAX {jax.__version__}")
    print(
        f"{os.getloadavg()[0]:.1f} processes were running or waiting in the last minute; times are worth little unless it is 0"
    )
    failed = []
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        args.scratch = Path(scratch)
        for name in ["rates", *(args.subcommands or known)]:
            print(f"\n## {name}\n", flush=True)
            if subprocess.run(_command(name, args), env=environment).returncode:
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
