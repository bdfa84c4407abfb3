"""What a brain's graph takes and gives, by task.

photos uint8 [N,H,W,3] ──► scores [N,C] (classify, multilabel) or values [N,1] (regress)
                       ──► features [N,D], heatmap [N,C,h,w], unfamiliar [N]   (each optional)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninebrains.brains.manifest import Manifest, Task
from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

    from ninebrains.brains.checking import Shape

INPUT = "photos"
OPTIONAL_OUTPUTS = ("features", "heatmap", "unfamiliar")


def answer_output(task: Task) -> str:
    """The name of the output that holds the answer."""
    return "values" if task == "regress" else "scores"


def check_interface(model: onnx.ModelProto, manifest: Manifest) -> None:
    """Refuse a graph whose input or outputs are not those that its manifest promises.

    Raises:
        BrainError: with the input or output at fault.
    """
    import onnx

    from ninebrains.brains.checking import infer_shapes

    _check_input(model, manifest)
    shapes = infer_shapes(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    given = [output.name for output in model.graph.output]
    answer = answer_output(manifest.task)
    strange = sorted(set(given) - {answer, *OPTIONAL_OUTPUTS})
    if answer not in given or strange or len(set(given)) < len(given):
        raise BrainError(
            f"the graph gives {', '.join(given) or 'nothing'}; a {manifest.task} brain gives "
            f"{answer} and may give {', '.join(OPTIONAL_OUTPUTS)}"
        )
    for output in model.graph.output:
        if output.name in weights or output.name not in shapes:
            raise BrainError(f"nothing computes the graph's output {output.name!r}")
        if output.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            raise BrainError(f"the graph's output {output.name!r} is not of 32-bit floats")
        _check_output(output.name, shapes[output.name], manifest)


def _check_input(model: onnx.ModelProto, manifest: Manifest) -> None:
    import onnx

    weights = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input]
    if names != [INPUT] or INPUT in weights:
        raise BrainError(f"the graph takes {', '.join(names) or 'nothing'}; expected {INPUT!r}")
    kind = model.graph.input[0].type.tensor_type
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
    expected = [None, *manifest.contract.shape]
    if kind.elem_type != onnx.TensorProto.UINT8 or sizes != expected:
        shown = ["N" if size is None else size for size in sizes]
        types = {number: name for name, number in onnx.TensorProto.DataType.items()}
        raise BrainError(
            f"the graph takes {types.get(kind.elem_type, '?').lower()} {shown}; "
            f"the contract says uint8 {['N', *manifest.contract.shape]}"
        )


def _check_output(name: str, shape: Shape, manifest: Manifest) -> None:
    """Compare a shape, told for one photo, with the manifest."""
    num_labels = len(manifest.labels)
    expected: dict[str, tuple[int | None, ...]] = {
        "scores": (1, num_labels),
        "values": (1, num_labels),
        "features": (1, manifest.trunk.num_features),
        "heatmap": (1, num_labels, None, None),
        "unfamiliar": (1,),
    }
    wanted = expected[name]
    fits = len(shape) == len(wanted) and all(
        size == want or (want is None and size > 0)
        for size, want in zip(shape, wanted, strict=True)
    )
    if not fits:
        shown = ["N", *("any" if size is None else size for size in wanted[1:])]
        raise BrainError(
            f"the graph's output {name!r} has the shape {['N', *shape[1:]]}; the manifest, with "
            f"{num_labels} labels, expects {shown}"
        )
