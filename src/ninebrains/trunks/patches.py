"""Where in a vision transformer the tokens of the photo's patches are.

    photos ─► convolution, a token a patch ─► [class | registers | patches] ─► blocks ─► norm ─► ...

The feature map is the patches' tokens after the last normalisation, put back to where they lie in
the photo; class token and registers are left out, since they lie nowhere. Which token belongs to
which patch is found by trying, not by trusting the order of the operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.probing import Values, probe
from ninebrains.trunks.sizing import computed_from_pixels
from ninebrains.trunks.wiring import Wiring, int_list

if TYPE_CHECKING:
    import onnx

_MOST_SPECIAL_TOKENS = 64
_LEAST_CHANGE = 1e-3
_ATTENDING = frozenset({"MatMul", "Einsum", "Attention"})


@dataclass(frozen=True)
class Patches:
    """The tokens [N, T, D] of a vision transformer, of which some are those of the patches.

    Attributes:
        tokens: name of the value.
        first: place of the first patch's token; the others follow, row by row.
        grid: (h, w), the number of patches down and across.
    """

    tokens: str
    first: int
    grid: tuple[int, int]

    @property
    def end(self) -> int:
        """Place after the last patch's token."""
        return self.first + self.grid[0] * self.grid[1]


def is_transformer(model: onnx.ModelProto) -> bool:
    """Whether values that depend on the photos are multiplied with each other, as in attention."""
    return bool(_mixed(model, computed_from_pixels(model)))


def _mixed(model: onnx.ModelProto, pixels: set[str]) -> set[str]:
    """What is computed from such products: there, what tokens hold has gone from one to another."""
    found: set[str] = set()
    for node in model.graph.node:
        attends = node.op_type in _ATTENDING and len(pixels.intersection(node.input)) > 1
        if attends or found.intersection(node.input):
            found.update(name for name in node.output if name)
    return found


def find_patches(
    model: onnx.ModelProto,
    form: InputForm,
    shapes: Mapping[str, Sequence[int | None]],
    file_name: str,
) -> Patches:
    """Find the last value that holds a token for every patch and that everything passes through.

    Args:
        model: a transformer, with its sizes worked out.
        form: its input.
        shapes: of its values.
        file_name: for messages.

    Raises:
        TrunkError: it does not cut photos into patches, or its tokens are not one a patch.
    """
    embedding, channels, grid = _embedding(model, shapes, file_name)
    cuts = f"{file_name} cuts photos into {grid[0]}x{grid[1]} patches (down x across), but "
    pixels = computed_from_pixels(model)
    rows = [
        str(name)
        for node in model.graph.node
        for name in node.output
        if name in pixels and len(shapes.get(name, [])) == 3 and (shapes[name][1] or 0) > 1
    ]
    last = next((name for name in reversed(rows) if _leads_out(model, name, shapes)), None)
    length = (shapes[last][1] or 0) if last is not None else 0
    # Of that length, but not what an attention pooling makes of the tokens for itself.
    holding = [name for name in rows if list(shapes[name][1:]) == [length, channels]]
    tokens = next((name for name in reversed(holding) if _leads_out(model, name, shapes)), None)
    if tokens is None or not 0 <= length - grid[0] * grid[1] <= _MOST_SPECIAL_TOKENS:
        raise TrunkError(
            f"{cuts}the last tokens that its output is computed from are {length}, not one a "
            f"patch; {_EXPECTED}"
        )
    mixed = _mixed(model, pixels)
    start = next((name for name in reversed(holding) if name not in mixed), None)
    first = None
    if start is not None:
        strides = int_list(embedding, "strides") or []
        first = _place_of_patches(model, form, start, grid, strides)
    if first is None:
        raise TrunkError(f"{cuts}its tokens are not one a patch, row by row; {_EXPECTED}")
    return Patches(tokens, first, grid)


_EXPECTED = (
    "expected a plain vision transformer such as ViT, DeiT or DINOv2, or a convolutional "
    "classifier."
)


def _embedding(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int | None]], file_name: str
) -> tuple[onnx.NodeProto, int, tuple[int, int]]:
    """The convolution that makes a token of each patch, the tokens' width, and the grid."""
    pixels = computed_from_pixels(model)
    for node in model.graph.node:
        if node.op_type != "Conv" or node.input[0] not in pixels:
            continue
        kernel, strides = int_list(node, "kernel_shape"), int_list(node, "strides")
        overlaps = kernel is None or kernel != strides or any(int_list(node, "pads") or [])
        sizes = list(shapes.get(node.output[0], []))
        if not overlaps and len(sizes) == 4 and all(sizes[1:]):
            channels, high, wide = (int(size or 0) for size in sizes[1:])
            return node, channels, (high, wide)
        break
    raise TrunkError(
        f"{file_name} is a transformer that does not begin by cutting photos into patches (one "
        f"convolution whose stride is its size); {_EXPECTED}"
    )


def _leads_out(
    model: onnx.ModelProto, name: str, shapes: Mapping[str, Sequence[int | None]]
) -> bool:
    """Whether a photo's answer is computed from this value alone, or is this value."""
    wiring, photos = Wiring(model), model.graph.input[0].name
    return any(
        (output.name == name or len(shapes.get(output.name, [])) == 2)
        and name in wiring.needed_for([output.name])
        and not wiring.bypasses(name, photos, output.name)
        for output in model.graph.output
    )


def _place_of_patches(
    model: onnx.ModelProto,
    form: InputForm,
    start: str,
    grid: tuple[int, int],
    strides: list[int],
) -> int | None:
    """Where the patches' tokens begin, or None if they are not one a patch, row by row.

    This is tried: the patches have numbers, from 1 on. For each binary digit a picture changes
    those patches whose number has it, so every token's changes spell its patch's number, or 0.
    """
    num = grid[0] * grid[1]
    numbers = np.arange(1, num + 1).reshape(grid)
    pictures = [_picture(form, np.zeros(grid, bool), strides)]
    for digit in range(num.bit_length()):
        pictures.append(_picture(form, (numbers >> digit) % 2 == 1, strides))
    plain, *changed = probe(model, form, start, np.stack(pictures))
    spelt = np.zeros(plain.shape[1], np.int64)
    for digit, tokens in enumerate(changed):
        change = np.abs(tokens - plain)[0].max(1)
        spelt += (change > _LEAST_CHANGE * change.max()).astype(np.int64) << digit
    found = np.flatnonzero(spelt)
    first = int(found[0]) if found.size else 0
    is_grid = np.array_equal(spelt[first : first + num], numbers.reshape(-1)) and found.size == num
    return first if is_grid else None


def _picture(form: InputForm, marked: npt.NDArray[np.bool_], strides: list[int]) -> Values:
    """Noise as the network reads photos, other noise in the marked patches."""
    height, width = form.contract.height, form.contract.width
    random = np.random.default_rng(0)
    base, other = random.integers(0, 256, (2, height, width, 3)).astype(np.float32)
    patches = np.repeat(np.repeat(marked, strides[0], 0), strides[1], 1)
    inside = np.zeros((height, width, 1), bool)
    inside[: patches.shape[0], : patches.shape[1], 0] = patches
    noise = np.where(inside, other, base)
    values: Values = noise.astype(np.uint8) if form.is_uint8 else (noise - 127.5) / 64.0
    return np.moveaxis(values, 2, 0) if form.layout == "nchw" else values
