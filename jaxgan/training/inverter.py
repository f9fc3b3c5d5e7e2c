"""Training of the inverter, the domain-guided encoder (Zhu et al. 2020), against a frozen generator."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jaxgan import losses
from jaxgan.configs import InverterConfig
from jaxgan.models.families import make_discriminator, make_generator, make_inverter
from jaxgan.models.pipeline import invert, render, to_float, to_uint8
from jaxgan.training import discriminator, parallel
from jaxgan.training.growing import Phase
from jaxgan.training.micro_batches import in_micro_batches
from jaxgan.training.state import TrainState, adam, apply_gradients, create, moving_average

W_SAMPLES = 1024  # draws of the mapping from which the statistics of w are taken


@partial(jax.jit, static_argnums=0)  # hundreds of small operations, each of which would be compiled alone
def init_state(config: InverterConfig, networks: dict) -> TrainState:
    """A fresh inverter; the discriminator continues from the StyleGAN's, which is among `networks`."""
    resolution = config.generator.resolution
    images = jnp.zeros((1, resolution, resolution, 3), jnp.float32)
    inverter = make_inverter(config.trunk, config.generator).init(jax.random.key(config.run.seed), images, False)
    if config.trunk.output_scale:
        inverter["params"]["norm"] = _statistics_of_w(config, networks["generator"])
    if config.trunk.kind != "residual":
        inverter["params"]["average"] = networks["w_avg"]
    params = {"inverter": inverter["params"], "discriminator": networks["stylegan_discriminator"]}
    extra = {"batch_stats": inverter["batch_stats"]}
    return create(params, adam(config.adam, config.run), extra, ema={"inverter": dict(inverter)})


def _statistics_of_w(config: InverterConfig, generator: dict) -> dict[str, jax.Array]:
    """Mean and deviation of the mapping's w [L * latent], as the bias and scale of a normalisation."""
    z = jax.random.normal(jax.random.key(config.run.seed), (W_SAMPLES, config.generator.latent_size), jnp.float32)
    w = make_generator(config.generator).apply(generator, z, method="map").reshape(W_SAMPLES, -1)
    return {"bias": w.mean(axis=0), "scale": w.std(axis=0)}


def make_train_step(config: InverterConfig, phase: Phase, r1_weight: float) -> Callable:
    """The step (state, frozen, batch) -> (state, metrics), for parallel.pmap_step.

    batch holds image uint8 [B, R, R, 3] and, for the identity term, keypoints float32 [B, 68, 2] in pixels; frozen the
    variables of the generator, and the parameters of the perceptual and the identity network if any.
    """
    remat, micro_batch = config.run.remat, config.run.micro_batch
    inverter = make_inverter(config.trunk, config.generator, remat)
    critic = make_discriminator(config.discriminator, remat)
    reconstruction = losses.make_reconstruction(config.perceptual, config.discriminator, remat)
    optimizer = adam(config.adam, config.run)

    def score(params: dict, images: jax.Array, condition: None = None) -> jax.Array:
        return critic.apply({"params": params}, images, condition)

    def step(state: TrainState, frozen: dict, batch: dict) -> tuple[TrainState, dict]:
        real = to_float(batch["image"])

        def loss(params: dict) -> tuple[jax.Array, tuple[jax.Array, dict, dict]]:
            variables = {"params": params, "batch_stats": state.extra["batch_stats"]}
            w, updates = inverter.apply(variables, real, True, mutable=["batch_stats"])

            def judge(w: jax.Array, real: jax.Array, keypoints: jax.Array | None) -> tuple[jax.Array, tuple[dict, jax.Array]]:
                fake = render(config.generator, frozen["generator"], w, remat)
                terms = reconstruction(frozen, fake, real)
                if config.identity_weight:
                    distance = losses.identity_distance(frozen, (fake, keypoints), (real, keypoints))
                    terms["identity"] = config.identity_weight * distance
                return fake, (terms, losses.generator_logistic(score(state.params["discriminator"], fake)))

            fake, (terms, adversarial) = in_micro_batches(judge, micro_batch, w, real, batch.get("keypoints"))
            total = sum(terms.values()) + config.adversarial_weight * adversarial
            return total, (fake, updates["batch_stats"], {**terms, "adv": adversarial, "loss": total})

        grads, (fake, batch_stats, metrics) = jax.grad(loss, has_aux=True)(state.params["inverter"])
        d_grads, d_metrics = discriminator.gradients(
            score, state.params["discriminator"], (real, None), (fake, None), r1_weight, micro_batch=micro_batch
        )
        new = apply_gradients(state, optimizer, {"inverter": grads, "discriminator": d_grads}, phase.batch_size)
        variables = {"params": new.params["inverter"], "batch_stats": batch_stats}
        ema = moving_average(state.ema["inverter"], variables, config.ema_half_life, phase.batch_size)
        return new.replace(extra={"batch_stats": batch_stats}, ema={"inverter": ema}), parallel.mean({**metrics, **d_metrics})

    return step


def export(state: TrainState) -> dict:
    """The networks for inference and the editor: the averaged inverter."""
    return {"inverter": state.ema["inverter"]}


def make_sampler(config: InverterConfig, phase: Phase) -> Callable:
    """(state, frozen, batch) -> uint8 images [2, B, R, R, 3]: portraits above their inversions (running statistics)."""

    @jax.jit
    def sample(state: TrainState, frozen: dict, batch: dict) -> jax.Array:
        w = invert(config.trunk, config.generator, state.ema["inverter"], to_float(batch["image"]))
        return jnp.stack([batch["image"], to_uint8(render(config.generator, frozen["generator"], w))])

    return sample
