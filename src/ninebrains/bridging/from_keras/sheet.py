"""The sheet that a Keras network is written on before it becomes ONNX.

Channels lie first on it. A step holds its weights as arrays, so that folding two steps into one is
arithmetic and nothing else; `writing` gives them names and turns the sheet into a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError

Array = npt.NDArray[Any]  # of numbers of any kind
Attribute = int | float | list[int]
Planes = tuple[int, int, int]

# A step of our own, y = scale x + shift, channel by channel: most become a part of a convolution.
AFFINE = "Affine"
# A step of our own: the channels in another order.
PICK = "Pick"


@dataclass(frozen=True)
class Value:
    """A tensor of the Keras network as it lies on the sheet.

    Attributes:
        name: of the value on the sheet.
        shape: as Keras has it, without the batch: (H, W, C) or (K,).
        planes: (C, H, W) if it is held as [N, C, H, W]. That may be so for (K,) as well: what is
            flattened keeps its planes until somebody needs it flat. None: held as [N, K].
        channel: if the value stands for one channel of the planes alone, its index.
    """

    name: str
    shape: tuple[int, ...]
    planes: Planes | None
    channel: int | None = None

    @property
    def is_map(self) -> bool:
        """Whether Keras has it as a map (H, W, C)."""
        return len(self.shape) == 3


@dataclass(frozen=True)
class Step:
    """One operator.

    Attributes:
        operator: of ONNX, or AFFINE or PICK.
        name: the Keras layer's.
        inputs: names of values.
        output: the name of the value that it makes.
        constants: role and values of the inputs that are constants; they come after `inputs`.
        attributes: of the operator.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    output: str
    constants: tuple[tuple[str, Array], ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def constant(self, role: str) -> Array | None:
        """The constant of that role, or None."""
        return dict(self.constants).get(role)


class Sheet:
    """Steps in the order in which they run, and the values between them."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.steps: list[Step] = []
        self._names: set[str] = set()

    def own_name(self, name: str) -> str:
        """The name, with a number if it is taken."""
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free

    def put(
        self,
        operator: str,
        name: str,
        inputs: Sequence[Value],
        like: Value,
        constants: Sequence[tuple[str, Array]] = (),
        **attributes: Attribute,
    ) -> Value:
        """Write one step.

        Args:
            operator: of ONNX, or AFFINE or PICK.
            name: of the Keras layer.
            inputs: what it reads.
            like: shape and planes of what it makes.
            constants: role and values, after the inputs.
            **attributes: of the operator.
        """
        name = self.own_name(name)
        inputs_names = tuple(value.name for value in inputs)
        self.steps.append(Step(operator, name, inputs_names, name, tuple(constants), attributes))
        return Value(name, like.shape, like.planes)

    def as_map(self, value: Value, name: str) -> Value:
        """A value as a map held in planes; (K,) becomes a map of one place.

        Raises:
            TrunkError: it is no map.
        """
        if value.channel is not None:
            raise TrunkError(
                f"the layer {name!r} works on one channel of the photos alone; expected all of "
                "them together."
            )
        if value.is_map:
            return value
        shape = (1, 1, value.shape[0])
        return self.reshape(value, shape, name)

    def flat(self, value: Value, name: str) -> Value:
        """A value (K,) held as [N, K], in the order in which Keras flattens."""
        if value.planes is None:
            return value
        channels, height, width = value.planes
        if height * width > 1 and channels > 1:
            value = self.put("Transpose", f"{name}/last", [value], value, perm=[0, 2, 3, 1])
        plain = Value("", (math.prod(value.shape),), None)
        return self.put("Flatten", f"{name}/flat", [value], plain, axis=1)

    def reshape(self, value: Value, shape: tuple[int, ...], name: str) -> Value:
        """The same numbers in another shape, (H, W, C) or (K,)."""
        if len(shape) == 1:
            return Value(value.name, shape, value.planes)
        height, width, channels = shape
        planes = (channels, height, width)
        if value.planes == planes:
            return Value(value.name, shape, planes)
        value = self.flat(value, name)
        if height * width == 1 or channels == 1:
            sizes = np.array([0, *planes], np.int64)
            return self.put("Reshape", name, [value], Value("", shape, planes), [("shape", sizes)])
        sizes = np.array([0, *shape], np.int64)
        last = self.put("Reshape", f"{name}/last", [value], value, [("shape", sizes)])
        return self.put("Transpose", name, [last], Value("", shape, planes), perm=[0, 3, 1, 2])

    def affine(self, value: Value, scale: Array, shift: Array, name: str) -> Value:
        """Scale and shift every channel: arrays of one number or of one a channel, in float64."""
        if value.planes is not None and not value.is_map and value.planes[1:] != (1, 1):
            value = self.flat(value, name)
        channels = value.shape[-1]
        given = {"scale": scale, "shift": shift}
        constants = [
            (role, np.broadcast_to(np.asarray(numbers, np.float64).reshape(-1), channels))
            for role, numbers in given.items()
        ]
        return self.put(AFFINE, name, [value], value, constants, rank=4 if value.planes else 2)
