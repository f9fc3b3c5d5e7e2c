"""The notebook of the documentation runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tour_runs():
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    notebook = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(TOUR.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    assert any("landmark error" in output.get("text", "") for output in outputs)
