"""Where a network can be cut in two: values that every path from the photos passes through.

    photos ─► … ─► c1 ─► … ─► c2 ─► … ─► wanted values
              step 1      step 2     step 3

Between two cut points lies a step. Branches (residual blocks, squeeze-excite, pyramids) lie inside
one step; a network that never narrows to one value is a single step.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ninebrains.mind.forms.form import Form, Operation, Shape


@dataclass(frozen=True)
class Step:
    """The part of a network between two neighbouring cut points.

    Attributes:
        end: hash of the cut point it ends in; the last step may end in several values at once,
            then it is a hash of their hashes.
        wanted: hashes of the values made in it that are wanted outside the network.
        cost: multiplications for one photo.
        num_bytes: of the weights that it reads.
    """

    end: str
    wanted: tuple[str, ...]
    cost: float
    num_bytes: int


def steps(form: Form, wanted: Sequence[str]) -> tuple[Step, ...]:
    """The steps of what a form needs to compute `wanted`, from the photos on.

    In any topological order, a cut point is where just one value is still to be read: whatever is
    no ancestor of it then lies behind it.

    Args:
        form: the network.
        wanted: hashes of values; those that are the photos themselves are in no step.
    """
    operations = _needed(form, wanted)
    readers = Counter(name for item in operations for name in set(item.inputs) - {""})
    live = {form.source}
    found: list[Step] = []
    since: list[Operation] = []
    asked = set(wanted)
    for item in operations:
        since.append(item)
        for name in set(item.inputs) & live:
            readers[name] -= 1
        live = {name for name in live if readers[name]} | {
            name for name in item.outputs if readers[name]
        }
        if len(live) == 1 and live <= set(item.outputs) and live <= form.by_photo:
            found.append(_step(form, since, next(iter(live)), asked))
            since = []
    if since:
        made = [name for name in _made(since) if name in asked]
        end = made[0] if len(made) == 1 else _joined(made)
        found.append(_step(form, since, end, asked))
    return tuple(found)


def _needed(form: Form, wanted: Iterable[str]) -> tuple[Operation, ...]:
    """The operations that compute `wanted` from the photos, in their order."""
    missing = set(wanted)
    kept: list[Operation] = []
    for item in reversed(form.operations):
        if missing & set(item.outputs):
            kept.append(item)
            missing.update(filter(None, item.inputs))
    return tuple(reversed(kept))


def _step(form: Form, operations: Sequence[Operation], end: str, asked: set[str]) -> Step:
    names = {name for item in operations for name in item.inputs if name in form.constants}
    return Step(
        end=end,
        wanted=tuple(name for name in _made(operations) if name in asked),
        cost=sum(cost(form, item) for item in operations),
        num_bytes=sum(len(form.constants[name].data) for name in names),
    )


def _made(operations: Sequence[Operation]) -> list[str]:
    return [name for item in operations for name in item.outputs]


def _joined(names: Sequence[str]) -> str:
    return hashlib.sha256(("values " + " ".join(sorted(names))).encode()).hexdigest()


def cost(form: Form, operation: Operation) -> float:
    """Multiplications of one operation for one photo; about one a value for the simple ones."""
    shapes = [_shape(form, name) for name in operation.inputs]
    made = sum(float(math.prod(_shape(form, name))) for name in operation.outputs)
    if operation.operator in ("Conv", "ConvInteger", "QLinearConv") and len(shapes) > 1:
        weights = next((shape for shape in shapes[1:] if len(shape) > 2), ())
        return made * math.prod(weights[1:])
    if operation.operator in ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul"):
        return made * max((shape[-1] for shape in shapes[:1] if shape), default=1)
    return made


def _shape(form: Form, name: str) -> Shape:
    if name in form.constants:
        return form.constants[name].shape
    return form.shapes.get(name, ())
