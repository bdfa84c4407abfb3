"""A network from elsewhere, read without trust and put behind the entrance that photos take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains.checking import check, infer_shapes
from ninebrains.brains.graph import pack
from ninebrains.errors import BrainError
from ninebrains.trunks.entrance import put_behind_entrance
from ninebrains.trunks.inputs import (
    InputForm,
    InputOverrides,
    choose_normalisation,
    fix_size,
    read_input,
)
from ninebrains.trunks.normalising import Normalisation, recognise
from ninebrains.trunks.reading import read_model, sentence
from ninebrains.trunks.settling import settle
from ninebrains.trunks.sizing import check_work_up_to, computed_from_pixels
from ninebrains.trunks.wiring import Wiring, keep_only

if TYPE_CHECKING:
    import onnx

    from ninebrains.brains.checking import Shape

_INPUT = "photos"


@dataclass(frozen=True, eq=False)
class Network:
    """A network as it was read, and as it is in a mind.

    Attributes:
        file_name: where it comes from.
        digest: SHA-256 (hex) of everything that was read.
        form: its input.
        normalisation: what it expects there.
        original: the network itself.
        body: the same behind `photos` uint8[N, H, W, 3]; its outputs have their own names.
        shapes: of the outputs for one photo, in the network's order.
    """

    file_name: str
    digest: str
    form: InputForm
    normalisation: Normalisation
    original: onnx.ModelProto
    body: onnx.ModelProto
    shapes: Mapping[str, Shape]


def read_network(path: Path, overrides: InputOverrides, outputs: Sequence[str] | None) -> Network:
    """Read a file and put what it holds behind our entrance.

    Args:
        path: the ONNX file.
        overrides: what the user says about its input.
        outputs: names of those that are kept; all where None.

    Raises:
        TrunkError: the file is refused, or its input's form is not certain.
        BrainError: an output cannot be used.
    """
    model, digest = read_model(path, may_mix=True)
    form = read_input(model, overrides, path.name)
    fix_size(model, form)
    names = _keep_outputs(model, outputs, path.name)
    settled = settle(model, form, path.name)
    check_work_up_to(model, form, names, path.name)
    normalisation = choose_normalisation(recognise(model), overrides, path.name)
    prefix = "network"
    while any(name.startswith(f"{prefix}/") for name in names):
        prefix += "_"
    body = put_behind_entrance(settled, form, normalisation, prefix)
    _name_outputs(body, {f"{prefix}/{name}": name for name in names})
    return Network(
        file_name=path.name,
        digest=digest,
        form=form,
        normalisation=normalisation,
        original=model,
        body=body,
        shapes=_output_shapes(body, names, path.name),
    )


def _keep_outputs(
    model: onnx.ModelProto, wanted: Sequence[str] | None, file_name: str
) -> list[str]:
    """Drop the outputs that were not asked for; return the names of the others."""
    given = list(dict.fromkeys(str(output.name) for output in model.graph.output))
    names = given if wanted is None else [name for name in given if name in wanted]
    shown = ", ".join(map(repr, given)) or "nothing"
    strange = [name for name in wanted or () if name not in given]
    if strange or not names:
        raise BrainError(
            f"{file_name} has no output {strange[0]!r}; it gives {shown}"
            if strange
            else f"{file_name} gives {shown} of what was asked for; expected one output at least"
        )
    pixels, makers = computed_from_pixels(model), Wiring(model).makers
    for name in names:
        if name not in pixels or name not in makers:
            is_input = name in pixels
            others = [other for other in names if other != name]
            raise BrainError(
                f"the output {name!r} of {file_name} "
                f"{'is its input itself' if is_input else 'does not depend on the photos'}; "
                + (f"leave it out: outputs={others}" if others else "expected what it computes")
            )
        if name == _INPUT or name.startswith(f"{_INPUT}/"):
            raise BrainError(
                f"{file_name} calls an output {name!r}, which is what the photos are called here; "
                "rename it, or leave it out (outputs=...)"
            )
    keep = {output.name: output for output in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(keep[name] for name in names)
    keep_only(model, names)
    return names


def _name_outputs(body: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Give the outputs their own names back, and drop what nothing needs."""
    for node in body.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in body.graph.output:
        output.name = names[output.name]
    keep_only(body, names.values())


def _output_shapes(body: onnx.ModelProto, names: Sequence[str], file_name: str) -> dict[str, Shape]:
    """The shapes of the outputs for one photo, told without running anything.

    Raises:
        BrainError: the graph is not one that a brain may have, or has an output without a row for
            the photo.
    """
    try:
        graph = pack(body)
        weight_bytes = {name: len(data) for name, data in graph.weights.items()}
        shapes = infer_shapes(check(graph.data, weight_bytes))
    except BrainError as error:
        raise BrainError(f"{file_name}: {sentence(error)}") from error
    for name in names:
        if shapes[name][:1] != (1,):
            others = [other for other in names if shapes[other][:1] == (1,)]
            raise BrainError(
                f"the output {name!r} of {file_name} has the shape {list(shapes[name])} for one "
                "photo; expected one row a photo, [N, ...]. "
                + (f"Leave it out: outputs={others}." if others else "Export the model again.")
            )
    return {name: shapes[name] for name in names}
