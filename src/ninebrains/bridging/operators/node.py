"""One ONNX operator as the code that turns it into Keras sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ninebrains.bridging.operators.value import Array, Axes, Sizes, Value, counts_photos
from ninebrains.errors import BrainError


@dataclass(frozen=True)
class Node:
    """An operator with what it reads.

    Attributes:
        operator: its name.
        output: the name of its first result.
        attributes: as the file gives them.
        inputs: values, constants, and None for what is left out.
        num_outputs: how many results it has.
        opset: the version of the operator set.
        pen: makes layers and gives names.
    """

    operator: str
    output: str
    attributes: Mapping[str, Any]
    inputs: Sequence[Value | Array | None]
    num_outputs: int
    opset: int
    pen: Pen

    def input(self, place: int) -> Value | Array | None:
        """An input, or None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def value(self, place: int = 0) -> Value:
        """An input that depends on the photos.

        Raises:
            BrainError: it does not.
        """
        found = self.input(place)
        if not isinstance(found, Value):
            raise self.refusal(f"reads no value of the photos as its input {place}")
        return found

    def constant(self, place: int) -> Array | None:
        """An input that is a constant, or None where it is left out.

        Raises:
            BrainError: it is computed from the photos.
        """
        found = self.input(place)
        if isinstance(found, Value):
            raise self.refusal(f"computes its input {place} from the photos; expected a constant")
        return found

    def weights(self, place: int) -> Array:
        """A constant that has to be there.

        Raises:
            BrainError: it is not, or is computed from the photos.
        """
        found = self.constant(place)
        if found is None:
            raise self.refusal(f"lacks its input {place}")
        return found

    def get(self, name: str, default: Any) -> Any:  # noqa: ANN401 - numbers, text, lists
        """An attribute."""
        return self.attributes.get(name, default)

    def ints(self, name: str, place: int) -> list[int] | None:
        """Numbers that older versions have as an attribute and newer ones as an input."""
        if name in self.attributes:
            return [int(item) for item in np.atleast_1d(self.attributes[name])]
        found = self.constant(place)
        return None if found is None else [int(item) for item in found.reshape(-1)]

    def refusal(self, reason: str) -> BrainError:
        """What to raise: it names the operator and its result."""
        return BrainError(
            f"operator {self.operator!r}, which gives {self.output!r}, {reason}. It cannot be "
            "turned into Keras."
        )

    def made(self, tensor: Any, axes: Axes, like: Value, part: str = "") -> Value:  # noqa: ANN401
        """A result: named, its sizes read from the tensor, photos counted as in `like`."""
        counted = next((size for size in like.sizes if counts_photos(size)), 0)
        sizes = [0] * len(axes)
        for place, axis in enumerate(axes):
            size = tensor.shape[place]
            sizes[axis] = counted if size is None else int(size)
        return self.result(tensor, tuple(sizes), axes, part)

    def result(self, tensor: Any, sizes: Sizes, axes: Axes, part: str = "") -> Value:  # noqa: ANN401
        """A result of known sizes, named after the node."""
        return Value(self.pen.named(tensor, self.output + part), sizes, axes)

    def layer(self, kind: str, weights: Sequence[Array], tensor: Any, **options: Any) -> Any:  # noqa: ANN401
        """What a Keras layer with these weights makes of a tensor; named after the node."""
        return self.pen.layer(kind, self.output, weights, tensor, **options)


@dataclass
class Pen:
    """Makes layers and names them, each name once.

    Attributes:
        photos: the network's input, for what has to be repeated for each photo.
    """

    photos: Any = None
    names: set[str] = field(default_factory=set)

    def name(self, text: str) -> str:
        """A new name from an ONNX one: Keras, TensorFlow and files allow fewer characters."""
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip("_.-") or "value"
        count, name = 0, plain
        while name.lower() in self.names:
            count += 1
            name = f"{plain}_{count}"
        self.names.add(name.lower())
        return name

    def named(self, tensor: Any, text: str) -> Any:  # noqa: ANN401 - keras has no types
        """Name the operation that made a tensor, unless it has a name from here already."""
        operation = tensor._keras_history.operation
        if operation.name.lower() not in self.names:
            operation.name = self.name(text)
        return tensor

    def layer(
        self,
        kind: str,
        text: str,
        weights: Sequence[Array],
        tensor: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Make one of `keras.layers`, give it its weights, and call it."""
        import keras

        layer = getattr(keras.layers, kind)(name=self.name(text), dtype="float32", **options)
        found = layer(tensor)
        if weights:
            layer.set_weights([np.asarray(item, np.float32) for item in weights])
        return found


Operator = Callable[[Node], Value | Sequence[Value]]
