"""A Keras network as one TensorFlow graph whose weights are constants: nothing of training left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def frozen(tensorflow: Any, network: Any, names: Sequence[str], batch: int | None) -> Any:  # noqa: ANN401 - tensorflow has no types
    """A concrete function of photos that gives a list of outputs.

    Args:
        tensorflow: the module.
        network: a Keras model that gives outputs by name.
        names: which of them, in this order.
        batch: how many photos it takes; None for any number.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    spec = photos_spec(tensorflow, network, batch)

    def run(photos: Any) -> list[Any]:  # noqa: ANN401
        answers = network(photos, training=False)
        return [answers[name] for name in names]

    plain = tensorflow.function(run, input_signature=[spec], autograph=False)
    return convert_variables_to_constants_v2(plain.get_concrete_function())


def photos_spec(tensorflow: Any, network: Any, batch: int | None) -> Any:  # noqa: ANN401
    """What such a function takes."""
    source = network.input
    return tensorflow.TensorSpec([batch, *source.shape[1:]], source.dtype, name="photos")
