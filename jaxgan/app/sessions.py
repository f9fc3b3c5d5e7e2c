"""What the server remembers: a few photographs, in memory alone, and not for long."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from jaxgan.app.photo import LivePhoto
from jaxgan.errors import JaxganError

LIMIT = 24  # photographs; each has its file, of up to 32 MiB, and, once personalised, 15 MB of weights
IDLE = 30 * 60  # seconds after which an unused one is forgotten


class ForgottenError(JaxganError, LookupError):
    """A photograph that the server does not, or no longer, have."""


class Sessions:
    """Photographs by random names that cannot be guessed; the one that was not used for longest gives way."""

    def __init__(self, limit: int = LIMIT, idle: float = IDLE, clock: Callable[[], float] = time.monotonic):
        """`clock` gives seconds."""
        self._limit, self._idle, self._clock = limit, idle, clock
        self._photos: OrderedDict[str, tuple[LivePhoto, float]] = OrderedDict()  # with the time of its last use

    def __len__(self) -> int:
        return len(self._photos)

    def add(self, photo: LivePhoto) -> str:
        """Keeps a photograph and returns its name."""
        self.sweep()
        while len(self._photos) >= self._limit:
            self._photos.popitem(last=False)
        name = secrets.token_urlsafe(24)
        self._photos[name] = photo, self._clock()
        return name

    def get(self, name: str) -> LivePhoto:
        """The photograph of a name.

        Raises:
          ForgottenError: there is none.
        """
        self.sweep()
        if name not in self._photos:
            raise ForgottenError("the server no longer has this photograph: upload it again")
        photo, _ = self._photos.pop(name)
        self._photos[name] = photo, self._clock()
        return photo

    def replace(self, name: str, photo: LivePhoto) -> None:
        """Puts another photograph, or face, in the place of one that is there."""
        self.get(name)
        self._photos[name] = photo, self._clock()

    def sweep(self) -> None:
        """Forgets those that were not used for long."""
        oldest = self._clock() - self._idle
        while self._photos and next(iter(self._photos.values()))[1] < oldest:
            self._photos.popitem(last=False)

    def clear(self) -> None:
        """Forgets all."""
        self._photos.clear()
