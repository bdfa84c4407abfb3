"""The canonical form: a graph in which every value is named by what it computes.

    Graph + Contract ── canonical.read_form ──► Form ── emitting.emit ──► Graph (any part of it)

A value's name is its Merkle hash: of its bytes for a constant, of the contract for the photos, of
(operator, version, attributes, inputs' hashes) for the rest. So values of one name are equal for
equal photos, whatever files they come from, and that is all that sharing needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ninebrains.brains.late import Buffer, held
from ninebrains.images import Contract

Shape = tuple[int, ...]
Array = npt.NDArray[np.generic]


class Tensor(NamedTuple):
    """A tensor that is an attribute of an operation.

    Attributes:
        dtype: numpy's name.
        shape: its shape.
        data: raw little-endian bytes.
    """

    dtype: str
    shape: Shape
    data: bytes


Attribute = int | float | str | bytes | Tensor | tuple[int | float | str | bytes, ...]


@dataclass(frozen=True)
class Constant:
    """A value that no photo changes.

    Attributes:
        hash: its name as a value: of type, shape and bytes.
        dtype: numpy's name.
        shape: its shape.
        digest: SHA-256 (hex) of `data`, which constants of other shapes may share.
        data: raw little-endian bytes.
    """

    hash: str
    dtype: str
    shape: Shape
    digest: str
    data: Buffer

    @classmethod
    def of(cls, dtype: str, shape: Shape, data: Buffer, digest: str | None = None) -> Constant:
        """Name bytes; `digest` is their SHA-256 where it is known already."""
        digest = digest or hashlib.sha256(held(data)).hexdigest()
        return cls(name_of("constant", dtype, shape, digest), dtype, shape, digest, data)

    @classmethod
    def of_array(cls, array: Array) -> Constant:
        """Name an array's values."""
        return cls.of(array.dtype.name, array.shape, array.tobytes())

    def array(self) -> Array:
        """The values, read-only, without a copy."""
        array: Array = np.frombuffer(held(self.data), np.dtype(self.dtype)).reshape(self.shape)
        array.flags.writeable = False
        return array


@dataclass(frozen=True)
class Operation:
    """One operator at work, as ONNX's default domain defines it.

    Attributes:
        operator: its name.
        version: the operator set that gave it the meaning it has here.
        attributes: sorted by name; those at their defaults are left out.
        inputs: hashes of values; "" for one that is not given.
        outputs: hashes of values; "" for one that nothing reads.
    """

    operator: str
    version: int
    attributes: tuple[tuple[str, Attribute], ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """What a graph computes, without anything that could differ between equal graphs.

    Attributes:
        contract: how a photo becomes the input.
        source: the hash of the photos.
        operations: sorted so that each comes after what it reads; no two are equal, none is unused.
        constants: those that operations read or that are outputs, by hash.
        outputs: the value that each output of the graph shows, by the output's name.
        shapes: for one photo, of every value that depends on the photos.
        dtypes: numpy's names, of the same values.
        by_photo: the values whose first axis, and only that, grows with the number of photos.
        opset: the operator set to write operations in.
    """

    contract: Contract
    source: str
    operations: tuple[Operation, ...]
    constants: Mapping[str, Constant]
    outputs: Mapping[str, str]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    by_photo: frozenset[str]
    opset: int

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex): equal for equal computations with equally named outputs."""
        return name_of("form", tuple(sorted(self.outputs.items())))


def name_of(*parts: object) -> str:
    """SHA-256 (hex) of strings, numbers, bytes and tuples of them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def name_of_output(operation: str, index: int) -> str:
    """The name of an operation's output: the first is named as the operation itself."""
    return operation if index == 0 else name_of("output", operation, index)
