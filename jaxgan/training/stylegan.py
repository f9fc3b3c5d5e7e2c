"""Training of the StyleGAN: generator and discriminator, at a fixed resolution or through the phases of `growing`."""

import dataclasses
import re
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jaxgan import losses
from jaxgan.configs import StyleGANConfig, style_layers
from jaxgan.models.families import make_discriminator, make_generator
from jaxgan.models.layers import upscale2d
from jaxgan.models.pipeline import generate, to_float, to_uint8
from jaxgan.training import ada, adaptive, discriminator, growing, parallel, path_length
from jaxgan.training.augment import augment
from jaxgan.training.growing import Phase
from jaxgan.training.micro_batches import in_micro_batches
from jaxgan.training.state import TrainState, adam, apply_gradients, create, moving_average, step_key

GRID = (4, 8)  # rows and columns of the sample grid
OTHER_IMAGES = 2**31 - 1  # folded into a step's key for images besides those of the batch, which fold in their number


@partial(jax.jit, static_argnums=0)  # hundreds of small operations, each of which would be compiled alone
def init_state(config: StyleGANConfig) -> TrainState:
    """Fresh networks, drawn from config.run.seed; growing ones have further layers to and from RGB."""
    gen = config.generator
    key_g, key_d = jax.random.split(jax.random.key(config.run.seed))
    generator = make_generator(gen).init(key_g, jnp.zeros((1, gen.latent_size), jnp.float32))
    w_avg = jnp.zeros((gen.num_layers, gen.latent_size), jnp.float32)
    extra = {"noise": generator.get("noise", {}), "w_avg": w_avg}
    if config.path_weight:
        extra["path_length"] = jnp.zeros((), jnp.float32)
    if config.augment.kind == "adaptive":
        extra["ada"] = adaptive.start()

    def critic(resolution: int) -> dict:
        images = jnp.zeros((1, resolution, resolution, 3), jnp.float32)
        return make_discriminator(config.discriminator).init(key_d, images)["params"]

    params = {"generator": generator["params"], "discriminator": critic(gen.resolution)}
    if config.growing.start:
        side = gen.resolution // 2
        while side >= config.growing.start:
            synthesis = make_generator(gen).init(key_g, w_avg[None], None, side, method="synthesize")["params"]
            lower = {"generator": synthesis, "discriminator": critic(side)}
            params = {name: growing.union(lower[name], tree) for name, tree in params.items()}
            side //= 2
    return create(params, adam(config.adam, config.run), extra, ema={"generator": params["generator"]})


def mix_styles(keys: jax.Array, w: jax.Array, other: jax.Array, probability: float) -> jax.Array:
    """Style mixing: with the probability, the layers from a cut on, uniform in [1, L), come from the other latent.

    keys [B]; w and other [B, L, latent].
    """
    layers = w.shape[1]

    def cut(key: jax.Array) -> jax.Array:
        key_cut, key_mix = jax.random.split(key)
        mixed = jax.random.uniform(key_mix) < probability
        return jnp.where(mixed, jax.random.randint(key_cut, (), 1, layers), layers)

    own = jnp.arange(layers)[None, :] < jax.vmap(cut)(keys)[:, None]
    return jnp.where(own[:, :, None], w, other)


def make_train_step(config: StyleGANConfig, phase: Phase, r1_weight: float, path_weight: float = 0.0) -> Callable:
    """The step (state, {}, batch with image uint8 [B, R, R, 3]) -> (state, metrics), for parallel.pmap_step.

    The weights are those of R1 and of the path length penalty in this step; a term of weight 0 is left out.
    """
    gen, remat, micro_batch = config.generator, config.run.remat, config.run.micro_batch
    generator, critic = make_generator(gen, remat), make_discriminator(config.discriminator, remat)
    grows, resolution = bool(config.growing.start), phase.resolution
    adapts = config.augment.kind == "adaptive"
    optimizer = adam(dataclasses.replace(config.adam, learning_rate=phase.learning_rate), config.run)

    def styles(variables: dict, key_z: jax.Array, key_other: jax.Array, key_mix: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mixed latents of each image [B, L, latent], and all that were drawn, [2 B, ...]."""
        count, layers = key_z.shape[0], style_layers(resolution)
        normal = jax.vmap(lambda key: jax.random.normal(key, (gen.latent_size,), jnp.float32))
        w = generator.apply(variables, jnp.concatenate([normal(key_z), normal(key_other)]), method="map")
        return mix_styles(key_mix, w[:count, :layers], w[count:, :layers], config.style_mixing), w

    def step(state: TrainState, frozen: dict, batch: dict) -> tuple[TrainState, dict]:
        real, alpha = to_float(batch["image"]), phase.alpha(state.images)
        if grows:
            real = growing.shrink(real, resolution, alpha)
            state = phase.restart(state, optimizer)
        count, key = real.shape[0], step_key(config.run.seed, state.step)
        key_z, key_other, key_mix, key_noise, key_augment = _keys(key, count, 5)

        def score(params: dict, images: jax.Array, keys: jax.Array) -> jax.Array:
            if adapts:
                images = ada.augment(keys, state.extra["ada"]["p"], images)
            else:
                images = augment(config.augment, keys, images)
            return critic.apply({"params": params}, images, None, alpha)

        def synthesize(variables: dict, w: jax.Array, noise_keys: jax.Array) -> jax.Array:
            return generator.apply(variables, w, noise_keys, resolution, alpha, method="synthesize")

        def path_penalty(variables: dict) -> tuple[jax.Array, jax.Array]:
            drawn = _keys(jax.random.fold_in(key, OTHER_IMAGES), count // config.path_batch_shrink, 5)
            w, _ = styles(variables, *drawn[:3])
            found = path_length.lengths(lambda w: synthesize(variables, w, drawn[3]), w, drawn[4])
            return path_length.penalty(found, state.extra["path_length"], config.path_mean_decay)

        def generator_loss(params: dict) -> tuple[jax.Array, tuple[jax.Array, jax.Array, dict, dict]]:
            variables = {"params": params, "noise": state.extra["noise"]}
            mixed, w = styles(variables, key_z, key_other, key_mix)

            def judge(w: jax.Array, key_noise: jax.Array, key_augment: jax.Array) -> tuple[jax.Array, jax.Array]:
                fake = synthesize(variables, w, key_noise)
                return fake, losses.generator_logistic(score(state.params["discriminator"], fake, key_augment))

            fake, total = in_micro_batches(judge, micro_batch, mixed, key_noise, key_augment)
            metrics, updates = {"g_loss": total}, {}
            if config.path_weight:
                metrics["path_penalty"] = jnp.zeros((), jnp.float32)
            if path_weight:
                penalty, updates["path_length"] = path_penalty(variables)
                metrics["path_penalty"] = path_weight * penalty
                total = total + metrics["path_penalty"]
            return total, (fake, w, metrics, updates)

        g_grads, (fake, w, g_metrics, updates) = jax.grad(generator_loss, has_aux=True)(state.params["generator"])
        d_grads, metrics = discriminator.gradients(
            score, state.params["discriminator"], (real, key_augment), (fake, key_augment), r1_weight, micro_batch=micro_batch
        )
        new = apply_gradients(state, optimizer, {"generator": g_grads, "discriminator": d_grads}, phase.batch_size)
        w_mean = parallel.mean(w.mean(axis=0))
        extra = {**state.extra, "w_avg": w_mean + config.w_avg_decay * (state.extra["w_avg"] - w_mean), **updates}
        ema = moving_average(state.ema["generator"], new.params["generator"], config.ema_half_life, phase.batch_size)
        metrics = parallel.mean({**g_metrics, **metrics})
        if config.path_weight:
            metrics["path_length"] = extra["path_length"]
        if adapts:
            metrics["augment_p"] = state.extra["ada"]["p"]
            extra["ada"] = adaptive.adjust(config.augment, state.extra["ada"], metrics["r_t"], state.step, phase.batch_size)
        if grows:
            metrics |= {"resolution": jnp.float32(resolution), "alpha": jnp.float32(1.0) if alpha is None else alpha}
        return new.replace(extra=extra, ema={"generator": ema}), metrics

    return step


def _keys(key: jax.Array, count: int, parts: int) -> jax.Array:
    """Random keys [parts, count], the same however the global batch is split."""
    keys = parallel.per_image_keys(key, count)
    return jnp.moveaxis(jax.vmap(lambda each: jax.random.split(each, parts))(keys), 1, 0)


def export(state: TrainState) -> dict:
    """The networks for inference and later stages: the averaged generator with its noise maps, w_avg, and the discriminator.

    Layers to and from RGB of lower resolutions, which growing leaves behind, are left out. StyleGAN2's, which it needs, have
    other names.
    """
    generator = state.ema["generator"]
    params = {**generator, "synthesis": _without_lower_rgb(generator["synthesis"])}
    return {
        "generator": {"params": params, "noise": state.extra["noise"]},
        "w_avg": state.extra["w_avg"],
        "stylegan_discriminator": _without_lower_rgb(state.params["discriminator"]),
    }


def _without_lower_rgb(params: dict) -> dict:
    found = {name: re.fullmatch(r"(?:to_rgb|rgb_bias|from_rgb)_(\d+)(?:_bias)?", name) for name in params}
    sides = {name: int(match[1]) for name, match in found.items() if match}
    return {name: tree for name, tree in params.items() if sides.get(name) in (None, max(sides.values(), default=None))}


def make_sampler(config: StyleGANConfig, phase: Phase) -> Callable:
    """(state, {}, batch) -> uint8 images [rows, columns, R, R, 3] of fixed latents, truncation 0.7.

    Images of a growing generator are enlarged to R.
    """
    rows, columns = GRID
    gen, resolution = config.generator, phase.resolution
    z = jax.random.normal(jax.random.key(config.run.seed + 1), (rows * columns, gen.latent_size), jnp.float32)

    @jax.jit
    def sample(state: TrainState, frozen: dict, batch: dict) -> jax.Array:
        generator = {"params": state.ema["generator"], "noise": state.extra["noise"]}
        alpha = phase.alpha(state.images)
        images = to_uint8(generate(gen, generator, state.extra["w_avg"], z, resolution=resolution, alpha=alpha))
        images = upscale2d(images, gen.resolution // resolution)
        return images.reshape(rows, columns, *images.shape[1:])

    return sample
