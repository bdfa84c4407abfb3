"""A network's configuration, as a file tells it, cut down to what is known to be harmless.

Keras makes whatever class a configuration names, and some of them run code, read files or fetch
pages when they are made. So nothing is handed on as it came: every layer is looked up in our own
list, where it comes from is written by us, and of its settings only plain values are kept. What
draws the first weights is replaced by something that keeps a budget; what matters to learning only
is left out.
"""

from __future__ import annotations

import json
from typing import Any

from ninebrains.bridging.from_keras.layers import (
    ACTIVATIONS,
    LAYERS,
    MODELS,
    OPERATIONS,
    PASSING,
    PRIVATE_MODULES,
    listed,
)
from ninebrains.errors import TrunkError

Config = dict[str, Any]

FRESH = "NinebrainsFreshWeights"  # how cleaned configurations name what makes their first weights
_FRESH: Config = {"class_name": FRESH, "config": {}, "module": None, "registered_name": FRESH}
_LARGEST_CONFIG_BYTES = 16 * 1024**2
_MOST_LAYERS = 10_000
_DEEPEST = 32
_ACTIVATION_LAYERS = frozenset({"ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"})
_INITIALIZERS = {
    "BatchNormalization": ("beta", "gamma", "moving_mean", "moving_variance"),
    "Conv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "DepthwiseConv2D": ("depthwise", "bias"),
    "LayerNormalization": ("beta", "gamma"),
    "PReLU": ("alpha",),
    "SeparableConv2D": ("depthwise", "pointwise", "bias"),
}
_LEARNING = ("_initializer", "_regularizer", "_constraint")
_PLACES = {"Functional": "keras.src.models.functional", "Sequential": "keras"}
# What stands in arguments of steps between layers for things that JSON does not have.
_STAND_INS = ("__keras_tensor__", "__ellipsis__", "__slice__", "__tensor__", "__numpy__")
_MOST_NUMBERS = 4096


def clean(text: str, file_name: str) -> Config:
    """The configuration of a network, of the list's layers and plain values only.

    Raises:
        TrunkError: it is damaged, or names anything that is not of the list.
    """
    if len(text) > _LARGEST_CONFIG_BYTES:
        raise TrunkError(
            f"{file_name}: its configuration has {len(text):,} characters; the limit is "
            f"{_LARGEST_CONFIG_BYTES:,}."
        )
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrunkError(f"{file_name}: its configuration is no JSON: {error}.") from error
    return _Cleaner(file_name).model(told)


class _Cleaner:
    def __init__(self, file_name: str) -> None:
        self.file_name = file_name
        self.num_layers = 0

    def fault(self, found: str, expected: str) -> TrunkError:
        return TrunkError(f"{self.file_name} is refused: {found}; expected {expected}.")

    def model(self, told: object) -> Config:
        """The outermost network."""
        entry = self.entry(told)
        if entry["class_name"] not in _PLACES:
            raise self.fault(
                f"its outermost part is a {entry['class_name']}", "a functional or sequential model"
            )
        return self.layer(entry, 0)

    def entry(self, told: object) -> Config:
        """A layer's part of the configuration, its form checked."""
        if (
            not isinstance(told, dict)
            or not isinstance(told.get("class_name"), str)
            or not isinstance(told.get("config"), (dict, list))
        ):
            raise self.fault("a part of its configuration is no layer", "class_name and config")
        if told["class_name"] == "Model":
            told = {**told, "class_name": "Functional"}
        if told["class_name"] == "Sequential" and isinstance(told["config"], list):
            told = {**told, "config": {"name": "sequential", "layers": told["config"]}}
        if not isinstance(told["config"], dict):
            raise self.fault(f"the settings of a {told['class_name']} are a list", "a mapping")
        return told

    def layer(self, told: Config, depth: int) -> Config:
        """A layer, a network inside, or a step between layers."""
        kind = told["class_name"]
        self.num_layers += 1
        if self.num_layers > _MOST_LAYERS or depth > _DEEPEST:
            raise self.fault(
                f"it has more than {_MOST_LAYERS:,} layers, or {_DEEPEST} networks in each other",
                "a network of photos",
            )
        module = self.module(told)
        config = self.network(told, depth) if kind in _PLACES else self.settings(told)
        cleaned: Config = {
            "module": module,
            "class_name": kind,
            "config": config,
            "registered_name": None if module.startswith("keras.layers") else kind,
        }
        if kind == "Sequential":
            cleaned["registered_name"] = None
        if "name" in told or "inbound_nodes" in told:
            cleaned["name"] = str(told.get("name", config.get("name")))
        nodes = told.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            raise self.fault(f"the wiring of {cleaned['name']!r} is no list", "a list of nodes")
        if "inbound_nodes" in told:
            cleaned["inbound_nodes"] = [self.wiring(node, depth) for node in nodes]
        return cleaned

    def module(self, told: Config) -> str:
        """Where a layer comes from: by our own list, whatever the file says."""
        kind, given, registered = (
            told["class_name"],
            told.get("module"),
            told.get("registered_name"),
        )
        shown = told["config"].get("name", "")
        # HDF5 files do not say the module, but layers have more settings than a name.
        bare = given is None and "trainable" not in told["config"]
        if kind in OPERATIONS and (bare or given == OPERATIONS[kind]):
            place = OPERATIONS[kind]
        elif kind in MODELS:
            place = _PLACES[kind]
        elif kind in LAYERS | PASSING or kind == "InputLayer":
            place = PRIVATE_MODULES.get(kind, "keras.layers")
        else:
            raise self.fault(
                f"the layer {shown!r} is a {kind!r}", f"one of those that are known: {listed()}"
            )
        own = given is None or given == "keras" or str(given).startswith("keras.")
        if not own or registered not in (None, kind, "Functional"):
            raise self.fault(
                f"the layer {shown!r} ({kind}) comes from {given!r}, registered as {registered!r}",
                "Keras's own",
            )
        return place

    def network(self, told: Config, depth: int) -> Config:
        """The settings of a network: its layers, and which of them are its ends."""
        config = told["config"]
        layers = config.get("layers")
        if not isinstance(layers, list) or not layers:
            raise self.fault(f"the network {config.get('name')!r} has no layers", "some")
        cleaned: Config = {"name": str(config.get("name", "network"))}
        cleaned["layers"] = [self.layer(self.entry(entry), depth + 1) for entry in layers]
        for key in ("input_layers", "output_layers"):
            if key in config:
                cleaned[key] = self.plain(config[key], key)
        if told["class_name"] == "Sequential":
            shape = config.get("build_input_shape") or _first_shape(layers[0])
            if shape is not None and cleaned["layers"][0]["class_name"] != "InputLayer":
                cleaned["layers"].insert(0, self.input_layer(shape))
        return cleaned

    def input_layer(self, shape: object) -> Config:
        config = {"batch_shape": self.plain(shape, "batch_shape"), "dtype": "float32"}
        return {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": config,
            "registered_name": None,
        }

    def settings(self, told: Config) -> Config:
        """The settings of a layer: plain values."""
        kind, config = told["class_name"], dict(told["config"])
        name = str(config.get("name", told.get("name", kind.lower())))
        shape = config.pop("batch_input_shape", None)
        if kind == "InputLayer":
            return {
                "name": name,
                "batch_shape": self.plain(config.get("batch_shape", shape), "batch_shape"),
                "dtype": "float32",
            }
        cleaned: Config = {"name": name}
        for key, value in config.items():
            if key == "activation":
                cleaned[key] = self.activation(value, name)
            elif not str(key).endswith(_LEARNING) and key not in ("name", "dtype"):
                cleaned[str(key)] = self.plain(value, f"{name}.{key}")
        if kind == "Cast":
            cleaned["dtype"] = str(config.get("dtype"))
        for role in _INITIALIZERS.get(kind, ()):
            cleaned[f"{role}_initializer"] = _FRESH
        return _in_words_of_today(kind, cleaned)

    def activation(self, told: object, name: str) -> object:
        """An activation's name, or one of the layers that are activations."""
        if isinstance(told, dict):
            given = told.get("module")
            own = given in (None, "builtins", "keras.activations", "keras.layers")
            if told.get("class_name") == "function" and own:
                told = told.get("config")
            elif told.get("class_name") in _ACTIVATION_LAYERS and own:
                return self.layer(self.entry(told), _DEEPEST)
        if told is None or (isinstance(told, str) and told in ACTIVATIONS):
            return told or "linear"
        raise self.fault(
            f"the layer {name!r} has the activation {_short(told)}",
            f"one of Keras's own: {', '.join(sorted(ACTIVATIONS))}",
        )

    def plain(self, value: object, place: str) -> object:
        """A value of JSON that stands for itself."""
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        if isinstance(value, list):
            return [self.plain(entry, place) for entry in value]
        if isinstance(value, dict) and "class_name" not in value and "module" not in value:
            return {str(key): self.plain(entry, place) for key, entry in value.items()}
        raise self.fault(f"the setting {place} is {_short(value)}", "a plain value")

    def wiring(self, value: object, depth: int) -> object:
        """What a layer reads: other layers' values, and plain numbers."""
        if isinstance(value, list):
            return [self.wiring(entry, depth) for entry in value]
        if not isinstance(value, dict):
            return self.plain(value, "inbound_nodes")
        if "class_name" not in value:
            return {str(key): self.wiring(entry, depth) for key, entry in value.items()}
        kind, config = value["class_name"], value.get("config")
        if kind not in _STAND_INS or not isinstance(config, dict):
            raise self.fault(f"the wiring holds {_short(value)}", "values and numbers")
        if kind in ("__tensor__", "__numpy__"):
            numbers = self.plain(config.get("value"), "inbound_nodes")
            if len(str(numbers)) > 32 * _MOST_NUMBERS or not _are_numbers(numbers):
                raise self.fault("the wiring holds a large constant", "a number for every channel")
            config = {"value": numbers, "dtype": "float32"}
        else:
            config = {str(key): self.plain(entry, "inbound_nodes") for key, entry in config.items()}
        return {"class_name": kind, "config": config}


def _in_words_of_today(kind: str, config: Config) -> Config:
    """Settings that Keras 2 wrote and Keras 3 no longer takes."""
    if kind == "BatchNormalization" and isinstance(config.get("axis"), list):
        axes = config["axis"]
        config["axis"] = axes[0] if len(axes) == 1 else axes
    if kind == "DepthwiseConv2D" and config.get("groups") == 1:
        del config["groups"]
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        config.pop("filters", None) if kind == "DepthwiseConv2D" else config.pop("groups", None)
    return config


def _first_shape(layer: object) -> object:
    config = layer.get("config") if isinstance(layer, dict) else None
    return config.get("batch_input_shape") if isinstance(config, dict) else None


def _are_numbers(value: object) -> bool:
    if isinstance(value, list):
        return all(_are_numbers(entry) for entry in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:120]}..."
