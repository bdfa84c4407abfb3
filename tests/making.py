"""What tests need and may not bring along: a small network and folders of small photos."""

import csv
import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def write_model(path, size=64, seed=0):
    """A small ImageNet-style classifier in ONNX, named like torchvision's, with random filters."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    channels = (3, 24, 48)
    nodes, weights, value = [], [], "input"
    for layer, (before, after) in enumerate(itertools.pairwise(channels)):
        kernel = random.normal(size=(after, before, 5, 5)) / np.sqrt(before * 25)
        bias = random.normal(size=after) * 0.1
        for name, array in (("weight", kernel), ("bias", bias)):
            tensor = numpy_helper.from_array(array.astype(np.float32), f"features.{layer}.{name}")
            weights.append(tensor)
        inputs = [value, f"features.{layer}.weight", f"features.{layer}.bias"]
        step = {"strides": [3, 3], "pads": [2, 2, 2, 2], "kernel_shape": [5, 5]}
        nodes.append(helper.make_node("Conv", inputs, [f"conv{layer}"], **step))
        nodes.append(helper.make_node("Relu", [f"conv{layer}"], [f"relu{layer}"]))
        value = f"relu{layer}"
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(
        helper.make_node("Gemm", ["flat", "classifier.1.weight", "classifier.1.bias"], ["output"])
    )
    last = random.normal(size=(channels[-1], 10)).astype(np.float32)
    weights.append(numpy_helper.from_array(last, "classifier.1.weight"))
    weights.append(numpy_helper.from_array(np.zeros(10, np.float32), "classifier.1.bias"))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return Path(path)


COLORS = {
    "cat": (200, 120, 40),
    "dog": (60, 90, 200),
    "bird": (60, 170, 70),
    "fish": (180, 60, 150),
}


def photo(label, number, size=(96, 72)):
    """A photo of a label: its own colour and shape on a background of noise; each one different."""
    random = np.random.default_rng([sum(label.encode()), number])
    scene = Image.fromarray(random.integers(60, 180, (9, 12, 3), np.uint8)).resize(size)
    draw = ImageDraw.Draw(scene)
    color = tuple(int(c + random.integers(-25, 26)) for c in COLORS.get(label, (128, 128, 128)))
    left, top = random.integers(5, 40), random.integers(5, 25)
    box = (left, top, left + random.integers(30, 50), top + random.integers(25, 40))
    if label in ("cat", "fish"):
        draw.ellipse(box, fill=color)
    else:
        draw.rectangle(box, fill=color)
    grain = random.integers(-12, 13, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(scene).astype(int) + grain, 0, 255).astype(np.uint8))


def jpeg(label, number, **options):
    """The bytes of a photo as JPEG."""
    file = io.BytesIO()
    photo(label, number, **options).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_photos(folder, counts, start=0):
    """A folder per label with so many photos each."""
    for label, count in counts.items():
        target = Path(folder) / label
        target.mkdir(parents=True, exist_ok=True)
        for number in range(start, start + count):
            (target / f"{label}{number:03}.jpg").write_bytes(jpeg(label, number))
    return Path(folder)


def write_table(path, rows):
    """A CSV with the columns path and label."""
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows(rows)
    return Path(path)


def write_pairs(folder, count=90):
    """Photos that show two of three things, with a table of both labels."""
    names, rows = ("cat", "dog", "bird"), []
    for number in range(count):
        shown = names[number % 3], names[(number // 3) % 3]
        wide = Image.new("RGB", (96, 96))
        wide.paste(photo(shown[0], number, size=(96, 48)), (0, 0))
        wide.paste(photo(shown[1], number + 500, size=(96, 48)), (0, 48))
        wide.save(Path(folder) / f"{number}.png")
        rows.append((f"{number}.png", ";".join(sorted(set(shown)))))
    return write_table(Path(folder) / "pairs.csv", rows)


def write_levels(folder, count=80):
    """Photos of a tank that is filled to a level of 0 to 100, with a table of the levels."""
    rows = []
    for number in range(count):
        level = float(np.random.default_rng(number).uniform(0, 100))
        image = photo("other", number, size=(96, 96))
        image.paste((40, 60, 220), (10, int(96 - level * 0.96), 86, 96))
        image.save(Path(folder) / f"{number}.png")
        rows.append((f"{number}.png", f"{level:.2f}"))
    return write_table(Path(folder) / "levels.csv", rows)
