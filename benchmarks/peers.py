"""Parts of the speed benchmark that compare with another library: drawing and the StyleGAN."""

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import BATCH, Args, Step, configs, judged, portraits, table, timed, training_batch

from jaxgan.configs import AugmentConfig
from jaxgan.models.landmarks import CURVES, draw_landmarks
from jaxgan.models.stylegan import Generator
from jaxgan.training import stylegan


def landmarks(args: Args) -> None:
    """Landmark images at the preset's resolution: the compiled drawing, and matplotlib's of the same lines, one by one."""
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    side = configs(args)["stylegan"].generator.resolution
    _, keypoints, _ = portraits(BATCH, side)
    placed = jnp.asarray(keypoints)

    def blank() -> tuple[FigureCanvasAgg, list]:
        # at 72 dots per inch, a point is a pixel
        figure = matplotlib.figure.Figure(figsize=(side / 72, side / 72), dpi=72, facecolor="black")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, side), ylim=(side, 0))
        axes.set_axis_off()
        colours = [tuple(value / 255 for value in colour) for _, _, colour in CURVES]
        return FigureCanvasAgg(figure), [axes.plot([], [], color=colour, linewidth=1)[0] for colour in colours]

    kept = blank()

    def draw(points: np.ndarray, anew: bool) -> np.ndarray:
        canvas, lines = blank() if anew else kept
        for line, (own, closed, _) in zip(lines, CURVES, strict=True):
            line.set_data(*points[[*own, own[0]] if closed else [*own]].T)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def plotted(anew: bool) -> np.ndarray:
        return np.stack([draw(points, anew) for points in keypoints])

    ours, anew, reused = "compiled", "matplotlib, a figure each", "matplotlib, one figure kept"
    calls = {ours: partial(draw_landmarks, placed, side), anew: partial(plotted, True), reused: partial(plotted, False)}
    seconds = timed(calls, args.repeats)
    ratios = {name: "" if name == ours else judged(each / seconds[ours], "landmarks") for name, each in seconds.items()}
    table("drawing|images/s|ours is", ((name, BATCH / each, ratios[name]) for name, each in seconds.items()))
    drawn, theirs = np.asarray(calls[ours]()), plotted(False) / 255
    print(f"\n{side}x{side}; correlation of the two drawings' pixels {np.corrcoef(drawn.ravel(), theirs.ravel())[0, 1]:.3f}")


def peer(args: Args) -> None:
    """The StyleGAN's step with R1 and its synthesis, compared with the fastest of several forms in PyTorch.

    "fused" computes rescaling convolutions as one of 4x4, "channels last" is PyTorch's memory format of that name.
    """
    import torch
    from helpers import torch_stylegan

    config = dataclasses.replace(configs(args)["stylegan"], augment=AugmentConfig())
    device = "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")  # JAX rounds factors on GPUs too
    torch.backends.cudnn.benchmark = True
    weight, batch = 0.5 * config.r1_gamma, config.run.batch_size
    images = torch.from_numpy(training_batch(config)["image"].transpose(0, 3, 1, 2).copy()).to(device)
    z = np.random.default_rng(0).standard_normal((BATCH, config.generator.latent_size), np.float32)
    variables = stylegan.export(stylegan.init_state(config))["generator"]
    latents, render = jnp.asarray(z), jax.jit(Generator(config.generator).apply)
    every_step = dataclasses.replace(config, r1_interval=1)
    training: dict[str, Callable[[], Any]] = {"ours": Step("stylegan", every_step, None, True)}
    rendering: dict[str, Callable[[], Any]] = {"ours": lambda: render(variables, latents)}

    def finished(threads: int, call: Callable[[], Any]) -> None:
        torch.set_num_threads(threads)
        call()
        if device == "cuda":
            torch.cuda.synchronize()

    def synthesise(trainer: torch_stylegan.Trainer) -> None:
        with torch.inference_mode():
            trainer.generator(torch.from_numpy(z).to(device))

    # if other programs use cores, PyTorch's threads wait for each other, and a single one is faster
    default = torch.get_num_threads()
    for fused, last in itertools.product((True, False), repeat=2):
        trainer = torch_stylegan.Trainer(config, device, fused, last)
        for threads in sorted({default, 1} if device == "cpu" else {default}):
            name = f"PyTorch, {'fused' if fused else 'plain'}, channels {'last' if last else 'first'}, {threads} threads"
            training[name] = partial(finished, threads, partial(trainer.step, images, weight))
            rendering[name] = partial(finished, threads, partial(synthesise, trainer))
    rows = []
    for what, calls, count in (("training step with R1", training, batch), ("z to images", rendering, BATCH)):
        seconds = timed(calls, args.repeats)
        fastest = min(each for name, each in seconds.items() if name != "ours")
        for name, each in seconds.items():
            verdict = judged(fastest / each, "peer") if name == "ours" else ""
            rows.append((what, name, count / each, each * 1e3, verdict))
    table("what|who|images/s|ms|ours / fastest of theirs", rows)
    print(f"\nPyTorch {torch.__version__} on {device}, {default} threads by default")
