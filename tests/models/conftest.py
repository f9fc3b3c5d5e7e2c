import pytest

from jaxgan.models import strided


@pytest.fixture(params=["CPU", "GPU and TPU"])
def form(request, monkeypatch):
    """Either form of the convolutions of stride 2, both run on this machine."""
    if request.param != "CPU":
        monkeypatch.setattr(strided, "_by_platform", lambda x, kernel, cpu, other: other(x, kernel))
    return request.param
