"""Portrait editing by landmarks in the latent space of a StyleGAN."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgan.editor import Editor

__all__ = ["Editor"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: importing a submodule should not import all of them.
    if name == "Editor":
        from jaxgan.editor import Editor

        return Editor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
