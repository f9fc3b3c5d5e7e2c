"""Training of the editor: an encoder of latent shifts and a landmark-conditional discriminator; the rest is frozen.

The variants of the report's Table 1 are encoder.kind and cycle (docs/paper.md, evaluation/table1.py).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import losses
from jaxgan.configs import EditorConfig
from jaxgan.models.encoder import Encoder
from jaxgan.models.families import make_discriminator
from jaxgan.models.landmarks import Landmarks, landmarks_from_keypoints
from jaxgan.models.pipeline import invert, render, shift, to_float, to_uint8
from jaxgan.training import discriminator, parallel
from jaxgan.training.growing import Phase
from jaxgan.training.micro_batches import in_micro_batches
from jaxgan.training.state import TrainState, adam, apply_gradients, create, moving_average

PyTree = Any


@partial(jax.jit, static_argnums=0)  # hundreds of small operations, each of which would be compiled alone
def init_state(config: EditorConfig) -> TrainState:
    """A fresh encoder and discriminator, drawn from config.run.seed."""
    gen = config.generator
    key_e, key_d = jax.random.split(jax.random.key(config.run.seed))
    images = jnp.zeros((1, gen.resolution, gen.resolution, 3), jnp.float32)
    latents = jnp.zeros((1, gen.num_layers, gen.latent_size), jnp.float32)
    landmarks = landmarks_from_keypoints(jnp.zeros((1, 68, 2), jnp.float32), gen.resolution)
    encoder = Encoder(config.encoder, gen).init(key_e, images, latents, landmarks, False)
    critic = make_discriminator(config.discriminator).init(key_d, images, landmarks.image)
    params = {"encoder": encoder["params"], "discriminator": critic["params"]}
    extra = {"batch_stats": encoder["batch_stats"]}
    return create(params, adam(config.adam, config.run), extra, ema={"encoder": dict(encoder)})


def make_train_step(config: EditorConfig, phase: Phase, r1_weight: float) -> Callable:
    """The step (state, frozen, batch) -> (state, metrics), for parallel.pmap_step.

    batch holds image uint8 [B, R, R, 3], keypoints and target_keypoints float32 [B, 68, 2] in pixels, with pairs also
    target_image, as image, and paired, bool [B]; frozen the variables of generator and inverter, and the parameters of the
    perceptual and the identity network if any.
    """
    gen, remat, micro_batch = config.generator, config.run.remat, config.run.micro_batch
    encoder, critic = Encoder(config.encoder, gen, remat), make_discriminator(config.discriminator, remat)
    reconstruction = losses.make_reconstruction(config.perceptual, config.stylegan_discriminator, remat)
    likeness = losses.make_likeness(config)
    optimizer = adam(config.adam, config.run)
    naive = config.encoder.kind == "naive"

    def score(params: dict, images: jax.Array, condition: jax.Array) -> jax.Array:
        return critic.apply({"params": params}, images, condition)

    def step(state: TrainState, frozen: dict, batch: dict) -> tuple[TrainState, dict]:
        portraits = to_float(batch["image"])
        own = landmarks_from_keypoints(batch["keypoints"], gen.resolution)
        shuffled = landmarks_from_keypoints(batch["target_keypoints"], gen.resolution)
        latents = None
        if not naive:
            latents, _ = in_micro_batches(
                lambda images: (invert(config.inverter, gen, frozen["inverter"], images), ()), micro_batch, portraits
            )
        # without a cycle, every other step reconstructs the portrait from its own landmarks
        own_turn = jnp.logical_and(config.cycle == "none", state.step % 2 == 0)
        target = jax.tree.map(lambda a, b: jnp.where(own_turn, a, b), own, shuffled)
        wanted = jnp.where(own_turn, batch["keypoints"], batch["target_keypoints"])
        truth = losses.Truth(portraits, batch["keypoints"], jnp.zeros(len(portraits), bool))
        if config.paired_share:
            pictures = losses.Truth(to_float(batch["target_image"]), batch["target_keypoints"], batch["paired"])
            paired = jnp.logical_and(batch["paired"], jnp.logical_not(own_turn))
            truth = jax.tree.map(lambda a, b: jnp.where(jnp.expand_dims(paired, range(1, a.ndim)), a, b), pictures, truth)

        def loss(params: dict) -> tuple[jax.Array, tuple[jax.Array, dict, dict]]:
            stats = state.extra["batch_stats"]

            def edit(images: jax.Array, w: jax.Array, landmarks: Landmarks, stats: dict) -> tuple[jax.Array, dict]:
                variables = {"params": params, "batch_stats": stats}
                edited, updates = encoder.apply(variables, images, w, landmarks, True, mutable=["batch_stats"])
                return edited, updates["batch_stats"]

            def judge(w: jax.Array, condition: jax.Array, compared: bool, alike: bool = False) -> tuple:
                """Images of w and their scores, terms that compare them with the portraits, and with what they should show."""

                def compute(w: jax.Array, condition: jax.Array, portraits: jax.Array, *edits: PyTree) -> tuple:
                    made = render(gen, frozen["generator"], w, remat)
                    scores = score(state.params["discriminator"], made, condition)
                    terms = reconstruction(frozen, made, portraits) if compared else {}
                    return (made, scores), (terms, likeness(frozen, made, *edits) if alike else {})

                (made, scores), terms = in_micro_batches(compute, micro_batch, w, condition, portraits, wanted, truth)
                return made, scores, *terms

            scores = {}
            edited, stats = edit(portraits, latents, target, stats)
            manipulated, scores["manipulated"], terms, alike = judge(edited, target.image, config.cycle == "none", True)
            terms = {name: own_turn.astype(jnp.float32) * term for name, term in terms.items()}
            if config.cycle != "none":
                cycle, stats = edit(manipulated, edited, own, stats)
                _, scores["cycle"], terms, _ = judge(cycle, own.image, config.cycle == "image")
                if config.cycle == "latent":
                    terms = {"latent_cycle": losses.mse(cycle, latents)}
            if naive and config.cycle == "image":
                direct, stats = edit(portraits, None, own, stats)
                _, scores["direct"], compared, _ = judge(direct, own.image, True)
                terms |= {f"direct_{name}": 0.5 * term for name, term in compared.items()}
            total, terms = losses.editor_loss({**terms, **alike}, scores, jnp.float32(config.adversarial_weight))
            return total, (manipulated, stats, {**terms, "loss": total})

        grads, (manipulated, batch_stats, metrics) = jax.grad(loss, has_aux=True)(state.params["encoder"])
        d_grads, d_metrics = discriminator.gradients(
            score,
            state.params["discriminator"],
            (portraits, own.image),
            (manipulated, target.image),
            r1_weight,
            (portraits, shuffled.image),
            config.mismatched_share,
            micro_batch,
        )
        new = apply_gradients(state, optimizer, {"encoder": grads, "discriminator": d_grads}, phase.batch_size)
        variables = {"params": new.params["encoder"], "batch_stats": batch_stats}
        ema = moving_average(state.ema["encoder"], variables, config.ema_half_life, phase.batch_size)
        return new.replace(extra={"batch_stats": batch_stats}, ema={"encoder": ema}), parallel.mean({**metrics, **d_metrics})

    return step


def export(state: TrainState) -> dict:
    """The networks for inference: the averaged encoder."""
    return {"encoder": state.ema["encoder"]}


def make_sampler(config: EditorConfig, phase: Phase) -> Callable:
    """(state, frozen, batch) -> uint8 images [6, B, R, R, 3], with running statistics.

    Rows: own landmarks, source, inversion, target landmarks, manipulated, cycle.
    """
    gen = config.generator

    @jax.jit
    def sample(state: TrainState, frozen: dict, batch: dict) -> jax.Array:
        portraits = to_float(batch["image"])
        own = landmarks_from_keypoints(batch["keypoints"], gen.resolution)
        target = landmarks_from_keypoints(batch["target_keypoints"], gen.resolution)
        latents = invert(config.inverter, gen, frozen["inverter"], portraits)
        edited = shift(config.encoder, gen, state.ema["encoder"], portraits, latents, target)
        manipulated = render(gen, frozen["generator"], edited)
        back = shift(config.encoder, gen, state.ema["encoder"], manipulated, edited, own)
        inversion, cycle = render(gen, frozen["generator"], latents), render(gen, frozen["generator"], back)
        rows = [own.image, portraits, inversion, target.image, manipulated, cycle]
        return jnp.stack([to_uint8(row) for row in rows])

    return sample
