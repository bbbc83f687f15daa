"""What every native op needs: whether it can run in the current call, and its registration."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import keras


def native_obstacle() -> str | None:
    """Says why no native op can run in the current call, to follow "The native op"; None if it can.

    Whether the library is there is the loader's question.
    """
    if keras.backend.backend() != "tensorflow":
        return f"needs Keras's TensorFlow backend, and this is {keras.backend.backend()}"
    if _traced_for_xla():
        return "cannot be compiled by XLA (jit_compile=True)"
    return None


def _traced_for_xla() -> bool:
    """Says whether the function being traced will be compiled by XLA."""
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    graph: Any = tf.compat.v1.get_default_graph()
    while graph is not None:
        # TensorFlow has no public way to ask; tf.function marks what it compiles like this.
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


def run_once(register: Callable[..., None]) -> Callable[..., None]:
    """Makes further calls of a function wait for the first call and do nothing.

    For registering gradients, which TensorFlow refuses to do twice. `functools.cache` would let
    threads that call at the same time all in.
    """
    lock, done = threading.Lock(), False

    @functools.wraps(register)
    def once(*arguments: object) -> None:
        nonlocal done
        with lock:
            if not done:
                register(*arguments)
                done = True

    return once
