"""Compilation beside a program."""

import subprocess
import sys


def test_a_program_ends_while_something_compiles():
    code = """
import threading, time
import jax, jax.numpy as jnp
from jaxgan.commands.beside import compile_beside, leave

def slow(x):
    for i in range(1500):
        x = jnp.sin(x) @ x + i
    return x

lowered, begun, done = jax.jit(slow).lower(jnp.ones((8, 8))), threading.Event(), threading.Event()
compile_beside(lambda: (begun.set(), lowered.compile(), done.set()))
begun.wait()
time.sleep(0.2)
assert not done.is_set()
print("ends", end="")
leave(lambda: 3)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "ends", "")
