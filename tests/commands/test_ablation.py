"""The command that trains the rows of Table 1, with a made-up training."""

import pytest

from jaxgan.commands import ablation
from jaxgan.configs import EditorConfig, override, validate
from jaxgan.evaluation.table1 import VARIANTS, variant

FLAGS = ["--config", "tiny", "--inverter", "inv", "--data_dir", "data", "--dataset", "faces"]


@pytest.fixture
def trained(monkeypatch):
    calls = []

    def train(arguments):
        stage, *flags = arguments
        calls.append((stage, flags))
        return int("encoder.kind=keypoint" in flags and "run.seed=13" in flags)

    monkeypatch.setattr(ablation.train, "main", train)
    return calls


def test_every_row_is_trained_alike_but_for_the_variant(trained, tmp_path, capsys):
    assert ablation.main([*FLAGS, "--out", str(tmp_path), "run.batch_size=4"]) == 0
    rows = []
    for stage, flags in trained:
        assert stage == "editor" and flags[2:10] == ["--config", "tiny", "--inverter", "inv", *FLAGS[4:]]
        overrides = [flag for flag in flags if "=" in flag]
        config = validate(override(EditorConfig(), [*overrides, "perceptual.network=none"]))
        assert config.run.batch_size == 4
        rows.append(variant(config))
    assert rows == [*VARIANTS.values()]
    folders = [flags[1] for _, flags in trained]
    assert len(set(folders)) == 5 and f"--workdirs {','.join(folders)} --data_dir data" in capsys.readouterr().out


def test_a_failure_ends_it(trained, tmp_path):
    assert ablation.main([*FLAGS, "--out", str(tmp_path), "run.seed=13"]) == 1
    assert len(trained) == 4  # the keypoint encoder is the fourth
