"""Compilation beside a program, and its end in the midst of that."""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

COMPILING = "compile"  # name of the threads


def compile_beside(work: Callable[[], None]) -> None:
    """Runs what compiles in a thread, for which a program that ends with `leave` does not wait."""
    threading.Thread(target=work, name=COMPILING, daemon=True).start()


def leave(main: Callable[[], int]) -> NoReturn:
    """Ends the program with the exit status of `main`; while something compiles beside, Python's own end would abort."""
    try:
        status = main()
    except Exception:
        traceback.print_exc()
        status = 1
    if any(thread.name == COMPILING for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
