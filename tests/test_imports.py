"""Imports point one way, and the training core needs neither TensorFlow nor clu."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.without_tensorflow import WITHOUT_TENSORFLOW

ROOT = Path(__file__).parents[1]

# Layers from the bottom up; a module may import from its own layer and from those before it.
LAYERS = (
    ("jaxgan.errors", "jaxgan.runtime", "jaxgan.storage", "jaxgan.batching"),
    ("jaxgan.configs",),
    ("jaxgan.data", "jaxgan.faces"),
    ("jaxgan.models",),
    ("jaxgan.losses",),
    ("jaxgan.descent",),
    ("jaxgan.inversion", "jaxgan.tuning", "jaxgan.training"),
    ("jaxgan.checkpoints",),
    ("jaxgan.importers",),
    ("jaxgan.engine", "jaxgan.inputs"),
    ("jaxgan.person", "jaxgan.photos"),
    ("jaxgan.video",),
    ("jaxgan.editor", "jaxgan"),
    ("jaxgan.evaluation",),
    ("jaxgan.app",),
    ("jaxgan.commands", "jaxgan.__main__"),
    ("train_stylegan", "train_inverter", "train_editor", "eval"),
)


def layer_of(module: str) -> int:
    """Index of the layer whose longest name is a prefix of the module's."""
    found = [
        (len(name), index)
        for index, names in enumerate(LAYERS)
        for name in names
        if module == name or (name != "jaxgan" and module.startswith(name + "."))
    ]
    if not found:
        raise LookupError(f"{module} is in no layer: add it to LAYERS")
    return max(found)[1]


def imports(source: str) -> set[str]:
    """Modules of the project that a source imports anywhere, but for type checking."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (node.module, alias.name) == ("jaxgan", "Editor"):
                    names.add("jaxgan.editor")
                elif (ROOT / (node.module or "").replace(".", "/")).is_dir():
                    path = ROOT / node.module.replace(".", "/") / alias.name
                    is_module = path.is_dir() or path.with_suffix(".py").exists()
                    names.add(f"{node.module}.{alias.name}" if is_module else node.module)
                else:
                    names.add(node.module or "")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return {name for name in names if name.split(".")[0] in ("jaxgan", "eval") or name.startswith("train_")}


def wrong_imports(module: str, source: str) -> list[str]:
    return [name for name in sorted(imports(source)) if layer_of(name) > layer_of(module)]


def project_modules() -> dict[str, Path]:
    files = [*ROOT.glob("jaxgan/**/*.py"), *ROOT.glob("*.py")]
    dotted = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    dotted.pop("jaxgan")  # loads Editor on first use, for users only
    return dotted


@pytest.mark.parametrize("module", sorted(project_modules()))
def test_imports_point_one_way(module):
    assert wrong_imports(module, project_modules()[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jaxgan.models.stylegan", "from jaxgan.training import loop"),
        ("jaxgan.data.batches", "def f():\n    from jaxgan.losses import mse"),
        ("jaxgan.training.loop", "import jaxgan.checkpoints"),
        ("jaxgan.configs.schema", "from jaxgan.models import layers"),
        ("jaxgan.checkpoints.training", "from jaxgan import Editor"),
        ("jaxgan.editor", "from jaxgan.commands import edit"),
        ("jaxgan.evaluation.metrics.truth", "import eval"),
    ],
)
def test_a_reversed_import_is_found(module, source):
    assert len(wrong_imports(module, source)) == 1


def test_only_one_file_names_pmap_and_one_names_orbax():
    for word, home in (("jax.pmap", "jaxgan/training/parallel.py"), ("orbax", "jaxgan/checkpoints/training.py")):
        users = {str(file.relative_to(ROOT)) for file in ROOT.glob("jaxgan/**/*.py") if word in file.read_text()}
        assert users == {home}


STEP_WITHOUT_TENSORFLOW = (
    WITHOUT_TENSORFLOW
    + """
from types import SimpleNamespace
import numpy as np
from jaxgan.configs import preset
from jaxgan.data.batches import array_batches
from jaxgan.training.log import TrainingLog
from jaxgan.training.loop import train
from jaxgan.training.stages import STAGES

class Data:
    info = SimpleNamespace(num_test=0)

    def batches(self, batch_size, **options):
        images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), np.uint8)
        return array_batches(images, np.zeros((16, 68, 2), np.float32), batch_size, **options)

stage, config = STAGES["stylegan"], preset("tiny", "stylegan")
with TrainingLog(sys.argv[1], 0) as log:
    train(stage, config, {}, stage.init(config, {}), Data(), log, lambda step, state, own: print("saved", step))
"""
)


def test_training_runs_without_tensorflow_and_clu(tmp_path):
    command = [sys.executable, "-c", STEP_WITHOUT_TENSORFLOW, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "saved 4" in done.stdout
    assert "No TensorBoard summaries" in done.stderr
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
