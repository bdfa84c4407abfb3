"""TensorFlow's examples: photos that come as features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninebrains.errors import RequestError
from ninebrains.serving.tensors import check_count

if TYPE_CHECKING:
    from ninebrains.serving.grpc.messages import Message
    from ninebrains.serving.settings import Limits


def files_of(sent: Message, limits: Limits) -> list[bytes]:
    """The photo files that the examples of a request hold: the one feature of each with bytes.

    Args:
        sent: a `tensorflow.serving.Input`. What its context has belongs to every example.
        limits: how many photos there may be.

    Raises:
        RequestError: there are no examples, too many, or one without exactly one file.
    """
    kind = sent.WhichOneof("kind")
    if kind is None:
        raise RequestError("the input holds no examples; expected one for each photo")
    found = getattr(sent, kind)
    check_count(len(found.examples), limits)
    shared = _bytes_in(found.context) if kind == "example_list_with_context" else []
    files = []
    for index, example in enumerate(found.examples):
        values = shared + _bytes_in(example)
        if len(values) != 1:
            raise RequestError(
                f"example {index} has {len(values)} values of bytes; expected one feature with one "
                "photo file"
            )
        files += values
    return files


def _bytes_in(example: Message) -> list[bytes]:
    features = example.features.feature
    return [value for name in sorted(features) for value in features[name].bytes_list.value]
