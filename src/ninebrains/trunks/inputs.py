"""The input of a foreign network: its layout and size, and what the user adds to what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.errors import TrunkError
from ninebrains.images import Contract, Fit
from ninebrains.trunks.normalising import (
    Color,
    Normalisation,
    Triple,
    ask,
    from_mean_std,
)
from ninebrains.trunks.wiring import Layout

if TYPE_CHECKING:
    import onnx

LARGEST_BATCH = 1024


@dataclass(frozen=True)
class InputOverrides:
    """What the user knows about a network's input. What is None is taken from the network.

    Attributes:
        size: (height, width) in pixels, for networks that leave it open.
        fit: how photos of other proportions are fitted.
        pad_color: R, G, B of the bars, where `fit` is `pad` and they matter.
        mean: R, G, B in units of 0 to 1, as torchvision's.
        std: R, G, B in units of 0 to 1.
        layout: `nchw` or `nhwc`.
        color: order of the channels that the network reads, `rgb` or `bgr`. Mean and std are
            given as R, G, B all the same.
    """

    size: tuple[int, int] | None = None
    fit: Fit = "crop"
    pad_color: tuple[int, int, int] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    layout: Layout | None = None
    color: Color | None = None

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            TrunkError: one of mean and std alone, or out of range.
        """
        if (self.mean is None) != (self.std is None):
            raise TrunkError("mean and std belong together: give both or neither")
        for kind in ("mean", "std", "pad_color"):
            values = getattr(self, kind)
            if values is not None and len(values) != 3:
                raise TrunkError(f"{kind} is three numbers, of R, G and B, not {values}")
        if self.mean is not None and not all(math.isfinite(m) and abs(m) <= 2 for m in self.mean):
            raise TrunkError(f"a mean of {self.mean} is not in units of 0 to 1; divide it by 255")
        if self.std is not None and not all(0 < s <= 2 for s in self.std):
            raise TrunkError(f"a std of {self.std} is not in units of 0 to 1; divide it by 255")
        for kind, value, allowed in (
            ("layout", self.layout, ("nchw", "nhwc")),
            ("color", self.color, ("rgb", "bgr")),
        ):
            if value is not None and value not in allowed:
                raise TrunkError(f"the {kind} is {allowed[0]} or {allowed[1]}, not {value!r}")


@dataclass(frozen=True)
class InputForm:
    """The one input of a network.

    Attributes:
        name: of the value.
        layout: `nchw` or `nhwc`.
        batch: the fixed number of photos, or None where it is free.
        is_uint8: whether the network takes whole numbers of 0 to 255 itself.
        contract: size and fit.
    """

    name: str
    layout: Layout
    batch: int | None
    is_uint8: bool
    contract: Contract


def read_input(model: onnx.ModelProto, overrides: InputOverrides, file_name: str) -> InputForm:
    """Tell layout and size from the input's shape.

    Raises:
        TrunkError: no photo input, a fixed batch that no photos are worth, or the size or layout
            has to be given.
    """
    from onnx import TensorProto

    inputs = model.graph.input
    if len(inputs) != 1:
        names = ", ".join(repr(entry.name) for entry in inputs) or "none"
        raise TrunkError(f"{file_name} has the inputs {names}; expected one, a batch of photos.")
    kind = inputs[0].type.tensor_type
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.UINT8):
        shown = TensorProto.DataType.Name(kind.elem_type)
        raise TrunkError(
            f"{file_name} takes {shown} values; expected photos as FLOAT (float32) or UINT8. "
            + (
                "Whole numbers are what networks for text take; they cannot look at photos."
                if shown in ("INT32", "INT64")
                else "Export it again."
            )
        )
    sizes = [_size(dim) for dim in kind.shape.dim]
    if len(sizes) != 4:
        raise TrunkError(
            f"the input {inputs[0].name!r} of {file_name} has the shape {_shown(sizes)}; expected "
            "[N,3,H,W] or [N,H,W,3]."
        )
    layout = _layout(sizes, overrides.layout, file_name)
    if sizes[0] is not None and sizes[0] > LARGEST_BATCH:
        raise TrunkError(
            f"{file_name} is made for batches of {sizes[0]:,} photos; the limit is "
            f"{LARGEST_BATCH:,}. Export it with a free batch axis."
        )
    height, width = sizes[2:] if layout == "nchw" else sizes[1:3]
    return InputForm(
        name=str(inputs[0].name),
        layout=layout,
        batch=sizes[0],
        is_uint8=kind.elem_type == TensorProto.UINT8,
        contract=_contract(height, width, overrides, file_name),
    )


def fix_size(model: onnx.ModelProto, form: InputForm) -> None:
    """Write the contract's size into the input's shape; the batch axis stays as it is."""
    sides = [form.contract.height, form.contract.width]
    sizes = [3, *sides] if form.layout == "nchw" else [*sides, 3]
    dims = list(model.graph.input[0].type.tensor_type.shape.dim)
    for dim, size in zip(dims[1:], sizes, strict=True):
        dim.dim_value = size


def choose_normalisation(
    known: Normalisation | None, overrides: InputOverrides, file_name: str
) -> Normalisation:
    """What the user says, else what the network's family prescribes.

    Raises:
        TrunkError: neither is known.
    """
    if overrides.mean is not None and overrides.std is not None:
        color = overrides.color or "rgb"
        return from_mean_std(overrides.mean, overrides.std, color)
    if known is None:
        raise ask(file_name)
    color = overrides.color or known.color
    return Normalisation(known.family, known.offset, known.divisor, color)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | None:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    # Exports with all axes free say which is which, and photos have three channels.
    return 3 if "channel" in str(dim.dim_param).lower() else None


def _layout(sizes: list[int | None], given: Layout | None, file_name: str) -> Layout:
    channels_first, channels_last = sizes[1] == 3, sizes[3] == 3
    possible: list[Layout] = ["nchw"] if sizes[1] in (3, None) else []
    if sizes[3] in (3, None):
        possible.append("nhwc")
    if given is not None and given in possible:
        return given
    if given is not None or not possible:
        raise TrunkError(
            f"the input of {file_name} has the shape {_shown(sizes)}; expected "
            + (f"3 channels as the layout {given} says." if given else "[N,3,H,W] or [N,H,W,3].")
        )
    if channels_first != channels_last:
        return "nchw" if channels_first else "nhwc"
    raise TrunkError(
        f"the input of {file_name} has the shape {_shown(sizes)}, which does not tell where the "
        "channels are. Say --layout nchw (PyTorch) or --layout nhwc (TensorFlow); in Python "
        'layout="nchw" or layout="nhwc".'
    )


def _contract(
    height: int | None, width: int | None, overrides: InputOverrides, file_name: str
) -> Contract:
    fixed = None if height is None or width is None else (height, width)
    size = overrides.size or fixed
    if fixed is not None and size != fixed:
        raise TrunkError(
            f"{file_name} is made for photos of {height}x{width} pixels (height x width); another "
            "size was asked for. Leave --size (in Python size) out."
        )
    if size is None:
        raise TrunkError(
            f"{file_name} leaves the photos' size open. Say the one it was trained with, such as "
            "--size 224 or --size 240x320 (height x width); in Python size=(240, 320)."
        )
    bars = Contract.pad_color if overrides.pad_color is None else overrides.pad_color
    try:
        return Contract(size[0], size[1], fit=overrides.fit, pad_color=bars)
    except ValueError as error:
        raise TrunkError(str(error)) from error


def _shown(sizes: list[int | None]) -> str:
    return "[" + ",".join("?" if size is None else str(size) for size in sizes) + "]"
