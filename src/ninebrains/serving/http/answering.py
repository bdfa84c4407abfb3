"""Answers of brains as plain values for JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.serving.http.faults import code_of

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.brains.inference import Floats
    from ninebrains.errors import NinebrainsError
    from ninebrains.serving.asking import Answered, Answers
    from ninebrains.serving.http.parameters import Encoding, Parameters

Plain = dict[str, object]

_SORTED_WHOLE = 256
"""Up to so many labels, sorting all is quicker than finding the best first."""


def plain_fault(error: NinebrainsError) -> Plain:
    """An error in its place among answers."""
    return {"code": code_of(error), "message": str(error)}


def plain_failure(name: str | None, error: NinebrainsError) -> Plain:
    """A photo among others that has no answers."""
    return {
        "name": name,
        "error": plain_fault(error),
        "photo_size": None,
        "timings": {},
        "brains": {},
    }


def plain_answers(name: str | None, answers: Answers, parameters: Parameters) -> Plain:
    """The answers on one photo, each under the name by which its brain was asked."""
    answered = answers.answered
    asked = parameters.brains or [item.chosen.name for item in answered]
    return {
        "name": name,
        "error": None,
        "photo_size": answers.photo_size,
        "timings": _timings(answers.timings, max(item.seconds for item in answered)),
        "brains": {
            wanted: _one(item, parameters) for wanted, item in zip(asked, answered, strict=True)
        },
    }


def _timings(timings: Mapping[str, float], seconds: float) -> Plain:
    told: Plain = {step: round(value, 3) for step, value in timings.items()}
    told["total_ms"] = round(seconds * 1000, 3)
    return told


def _one(item: Answered, parameters: Parameters) -> Plain:
    chosen, inference = item.chosen, item.inference
    told: Plain = {
        "brain": chosen.name,
        "version": chosen.number,
        "variant": chosen.variant,
        "prediction_id": item.prediction,
        "answer": None,
        "unfamiliar": None,
        "instances": [],
        "error": None,
    }
    if inference is None:
        assert item.error is not None
        told["error"] = plain_fault(item.error)
        return told
    told["unfamiliar"] = inference.unfamiliar
    if len(inference.answers):
        order = best(inference, parameters.top)
        labels = inference.labels
        if inference.is_familiar:
            told["answer"] = labels[order[0]].name
        told["instances"] = _instances(inference, order, parameters.threshold)
    elif inference.outputs:
        told["outputs"] = {
            name: {"shape": value.shape, "dtype": str(value.dtype)}
            for name, value in inference.outputs.items()
        }
    if parameters.answers:
        told["answers"] = _floats(inference.answers, parameters.encoding)
    if parameters.features:
        told["features"] = _floats(inference.features, parameters.encoding)
    if parameters.heatmap is not None:
        told["heatmap"] = _heatmap(inference, parameters)
    return told


def best(inference: Inference, top: int | None) -> Sequence[int]:
    """Indices of the best labels, the surest first; in label order for measured values.

    Among equal scores the lower index comes first, as in `Inference.instances`.
    """
    scores = inference.answers
    if inference.is_measured:
        return range(len(scores) if top is None else min(top, len(scores)))
    if top == 1:
        return (int(scores.argmax()),)
    if top is None or top >= len(scores) or len(scores) <= _SORTED_WHOLE:
        order: list[int] = np.argsort(-scores, kind="stable")[:top].tolist()
        return order
    least = np.partition(scores, len(scores) - top)[len(scores) - top]
    some = np.flatnonzero(scores >= least)
    found: list[int] = some[np.argsort(-scores[some], kind="stable")[:top]].tolist()
    return found


def _instances(inference: Inference, order: Sequence[int], threshold: float) -> list[Plain]:
    answers, labels = inference.answers, inference.labels
    told: list[Plain] = []
    for index in order:
        label, value = labels[index], float(answers[index])
        one: Plain = {"label": label.name, "label_id": label.id, "index": index}
        if inference.is_measured:
            one.update(score=1.0, value=value)
        elif value >= threshold:
            one["score"] = value
        else:
            break
        told.append(one)
    return told


def _floats(values: Floats | None, encoding: Encoding) -> object:
    """Numbers, or `{"shape", "float32"}` with their bytes; None where there are none."""
    if values is None:
        return None
    if encoding == "json":
        return np.ascontiguousarray(values, np.float32)
    data = np.ascontiguousarray(values, "<f4").tobytes()
    return {"shape": values.shape, "float32": base64.b64encode(data).decode()}


def _heatmap(inference: Inference, parameters: Parameters) -> Plain | None:
    if inference.heatmaps is None or not len(inference.answers):
        return None
    if parameters.heatmap == "all":
        values, told = inference.heatmaps, {}
    else:
        top = inference.top
        values, told = inference.heatmap(top.index), Plain(label_id=top.label_id)
    return {**told, "shape": values.shape, "values": _floats(values, parameters.encoding)}
