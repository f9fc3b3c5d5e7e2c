"""The three training stages: what each starts from, trains and passes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jaxgan.configs import Config, EditorConfig, InverterConfig, StyleGANConfig
from jaxgan.training import editor, inverter, stylegan
from jaxgan.training.growing import Phase
from jaxgan.training.state import TrainState

# Variables for inference by the network's name: "generator", "w_avg", "stylegan_discriminator", "inverter", "encoder".
Networks = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage of training; its functions are those of the module of its name."""

    name: str
    config: type[Config]
    previous: str | None  # the stage whose networks it starts from
    adds: tuple[str, ...]  # names of the networks that `export` returns
    inherited: Mapping[str, str]  # configuration fields that follow from them: field here -> field there
    init: Callable[[Config, Networks], TrainState]  # the state at step 0
    make_step: Callable[..., Callable]  # (configuration, phase, weight of each term of lazy.terms) -> step
    make_sampler: Callable[[Config, Phase], Callable]  # -> (state, frozen networks, batch) -> sample grid
    export: Callable[[TrainState], Networks]  # the networks that it adds to those it started from
    reads_portraits: bool = True  # its sample grids show test portraits
    reads_targets: bool = False  # its batches hold target landmarks
    # Shares of these: with the bones of their portrait, and those of another portrait of the same person.
    retargeted: Callable[[Config], float] = lambda config: 0.0
    paired: Callable[[Config], float] = lambda config: 0.0

    def inherit(self, config: Config, source: Config) -> Config:
        """`config` with the networks of `source`, a configuration of the previous stage or of this one."""
        same = isinstance(source, self.config)
        return replace(config, **{here: getattr(source, here if same else there) for here, there in self.inherited.items()})

    def without_own(self, networks: Networks) -> Networks:
        """The networks of earlier stages alone."""
        return {name: tree for name, tree in networks.items() if name not in self.adds}


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="stylegan",
            config=StyleGANConfig,
            previous=None,
            adds=("generator", "w_avg", "stylegan_discriminator"),
            inherited={},
            init=lambda config, networks: stylegan.init_state(config),
            make_step=stylegan.make_train_step,
            make_sampler=stylegan.make_sampler,
            export=stylegan.export,
            reads_portraits=False,
        ),
        Stage(
            name="inverter",
            config=InverterConfig,
            previous="stylegan",
            adds=("inverter",),
            inherited={"generator": "generator", "discriminator": "discriminator"},
            init=inverter.init_state,
            make_step=inverter.make_train_step,
            make_sampler=inverter.make_sampler,
            export=inverter.export,
        ),
        Stage(
            name="editor",
            config=EditorConfig,
            previous="inverter",
            adds=("encoder",),
            inherited={"generator": "generator", "inverter": "trunk", "stylegan_discriminator": "discriminator"},
            init=lambda config, networks: editor.init_state(config),
            make_step=editor.make_train_step,
            make_sampler=editor.make_sampler,
            export=editor.export,
            reads_targets=True,
            retargeted=lambda config: config.retargeted_share,
            paired=lambda config: config.paired_share,
        ),
    )
}


def stage_of(config: Config) -> Stage:
    """The stage that a configuration is of."""
    return next(stage for stage in STAGES.values() if isinstance(config, stage.config))
