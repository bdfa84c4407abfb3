"""Reading values of a foreign network, inner ones too, as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.wiring import keep_only

if TYPE_CHECKING:
    import onnx

Values = npt.NDArray[Any]


def probe(model: onnx.ModelProto, form: InputForm, name: str, photos: Values) -> list[Values]:
    """What the value `name` is for each photo, given one at a time (see `probe_all`).

    Returns:
        The value for every photo, [1, ...] each.
    """
    return [values[name] for values in probe_all(model, form, [name], photos)]


def probe_all(
    model: onnx.ModelProto, form: InputForm, names: Sequence[str], photos: Values
) -> list[dict[str, Values]]:
    """What some values are for each photo, given one at a time.

    Args:
        model: the network; it is left as it is.
        form: its input. Where it is made for a batch, the photo is repeated.
        names: of the values.
        photos: as the network reads them, [P, ...].

    Returns:
        For every photo the values by name, [1, ...] each.

    Raises:
        TrunkError: ONNX Runtime cannot run it.
    """
    import onnx
    import onnxruntime

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    keep_only(exposed, names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = onnxruntime.InferenceSession(
            exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = []
        for photo in photos:
            batch = np.ascontiguousarray(np.repeat(photo[None], form.batch or 1, axis=0))
            values = session.run(list(names), {form.name: batch})
            found.append({n: np.asarray(v)[:1] for n, v in zip(names, values, strict=True)})
    except Exception as error:
        raise TrunkError(f"ONNX Runtime cannot run the original network: {error}") from error
    return found
