"""Core ML tools, quietly."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

_SOURCES = (
    "executorch",
    "sklearn",
    "tensorflow",
    "torch",
    "torchvision",
    "transformers",
    "xgboost",
)


@contextlib.contextmanager
def coremltools() -> Iterator[Any]:
    """The package, as long as it is worked with.

    It imports every framework that it could convert from, which takes many seconds, and warns of
    the versions of each; nothing of these is used. It draws progress on standard error, and leaves
    it to Python to delete its temporary folders, which Python warns of.
    """
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("coremltools").setLevel(logging.CRITICAL)
        try:
            yield _import_alone()
        finally:
            gc.collect()


def _import_alone() -> Any:  # noqa: ANN401 - coremltools has no types
    modules: dict[str, Any] = sys.modules
    hidden = {}
    if "coremltools" not in modules:
        hidden = {name: modules.get(name) for name in _SOURCES}
        modules.update(dict.fromkeys(_SOURCES))  # None: "cannot be imported"
    try:
        import coremltools
    finally:
        for name, module in hidden.items():
            if module is None:
                del modules[name]
            else:
                modules[name] = module
    return coremltools
