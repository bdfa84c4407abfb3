"""Small vision transformers in the forms that exporters give them."""

import numpy as np
from onnx import TensorProto

from tests.trunks.networks import Net

PATCH, WIDTH, HEADS = 4, 12, 2


class ViT(Net):
    """Patches, class token and registers, positions, attention, and a last normalisation.

    The tokens after the last normalisation are the value `tokens`.

    Args:
        size: (height, width) of a photo.
        free: whether the batch axis is free; sizes are then asked for at every step.
        open_size: whether the photo's sides are free too; positions are then interpolated.
        registers: further tokens between the class token and the patches.
        plain_norm: ReduceMean, Sub, Pow ... in place of LayerNormalization.
        merged_heads: attention on [N * heads, T, d] in place of [N, heads, T, d].
    """

    def __init__(
        self,
        *,
        size=(16, 16),
        free=True,
        open_size=False,
        registers=0,
        plain_norm=False,
        merged_heads=False,
        opset=17,
    ):
        sides = ["height", "width"] if open_size else list(size)
        super().__init__(
            opset, "pytorch", ("batch" if free else 1, "num_channels" if open_size else 3, *sides)
        )
        self.free, self.open_size = free, open_size
        self.plain_norm, self.merged_heads = plain_norm, merged_heads
        self.grid = (size[0] // PATCH, size[1] // PATCH)
        self.num_special = 1 + registers
        self.count = 0

    def new(self, operator, inputs, **attributes):
        """A node with a name of its own."""
        self.count += 1
        return self.node(operator, inputs, f"v{self.count}", **attributes)

    def fixed(self, *values, kind=np.int64):
        self.count += 1
        return self.constant(f"k{self.count}", np.array(values, kind))

    def size_of(self, value, axis):
        """int64[1], asked for as exporters do, or a constant where nothing is free."""
        scalar = self.new("Gather", [self.new("Shape", [value]), self.scalar(axis)], axis=0)
        return self.new("Unsqueeze", [scalar, self.fixed(0)])

    def scalar(self, value):
        self.count += 1
        return self.constant(f"k{self.count}", np.array(value, np.int64))

    def reshape(self, value, *sizes):
        """To sizes of which the first, where the batch is free, is (a value, an axis) to ask."""
        parts = [
            (self.size_of(*size) if self.free else self.fixed(1))
            if isinstance(size, tuple)
            else self.fixed(size)
            for size in sizes
        ]
        if not self.free:
            whole = [1 if isinstance(size, tuple) else size for size in sizes]
            return self.new("Reshape", [value, self.fixed(*whole)])
        return self.new("Reshape", [value, self.new("Concat", parts, axis=0)])

    def embedded(self, source="x"):
        """[N, T, D] of patches with their positions, special tokens first."""
        high, wide = self.grid
        weights = self.weights("patches", WIDTH, 3, PATCH, PATCH)
        value = self.new("Conv", [source, weights], kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
        flat = self.reshape(value, (value, 0), WIDTH, -1 if self.free else high * wide)
        value = self.new("Transpose", [flat], perm=[0, 2, 1])
        for number in range(self.num_special):
            value = self.joined(self.weights(f"special_{number}", 1, 1, WIDTH), value)
        return self.new("Add", [value, self.positions()])

    def joined(self, token, patches):
        """A token before the others, repeated as torch's `expand` is exported."""
        if self.free:
            sizes = [self.size_of(patches, 0), self.fixed(-1), self.fixed(-1)]
            asked = self.new("Concat", sizes, axis=0)
            ones = self.new("ConstantOfShape", [self.new("Shape", [asked])], value=_one())
            minus = self.new("Mul", [ones, self.fixed(-1)])
            is_same = self.new("Equal", [asked, minus])
            token = self.new("Expand", [token, self.new("Where", [is_same, ones, asked])])
        return self.new("Concat", [token, patches], axis=1)

    def positions(self):
        high, wide = self.grid
        if not self.open_size:
            return self.weights("positions", 1, self.num_special + high * wide, WIDTH)
        learnt = self.weights("positions", 1, WIDTH, 3, 3)
        sides = [self.new("Div", [self.size_of("x", axis), self.fixed(PATCH)]) for axis in (2, 3)]
        sizes = self.new("Concat", [self.fixed(1), self.fixed(WIDTH), *sides], axis=0)
        value = self.new("Resize", [learnt, "", "", sizes], mode="cubic")
        value = self.new("Reshape", [value, self.fixed(1, WIDTH, -1)])
        value = self.new("Transpose", [value], perm=[0, 2, 1])
        special = self.weights("special_positions", 1, self.num_special, WIDTH)
        return self.new("Concat", [special, value], axis=1)

    def norm(self, value, name):
        scale = self.constant(f"{name}.weight", self.random.uniform(0.5, 1.5, WIDTH).astype("f4"))
        shift = self.constant(f"{name}.bias", self.random.normal(size=WIDTH).astype("f4"))
        if not self.plain_norm:
            return self.new("LayerNormalization", [value, scale, shift], axis=-1)
        centred = self.new("Sub", [value, self.new("ReduceMean", [value], axes=[-1])])
        squared = self.new("Pow", [centred, self.fixed(2.0, kind=np.float32)])
        spread = self.new("ReduceMean", [squared], axes=[-1])
        spread = self.new("Add", [spread, self.fixed(1e-5, kind=np.float32)])
        value = self.new("Div", [centred, self.new("Sqrt", [spread])])
        return self.new("Add", [self.new("Mul", [value, scale]), shift])

    def heads(self, value, name, num):
        """[N, heads, T, d] of a projection, or [N * heads, T, d]."""
        value = self.new("MatMul", [value, self.weights(name, WIDTH, WIDTH)])
        each = WIDTH // HEADS
        value = self.reshape(value, (value, 0), num, HEADS, each)
        value = self.new("Transpose", [value], perm=[0, 2, 1, 3])
        if not self.merged_heads:
            return value
        merged = -1 if self.free else HEADS
        return self.new("Reshape", [value, self.fixed(merged, num, each)])

    def block(self, value, name):
        num, each = self.num_special + self.grid[0] * self.grid[1], WIDTH // HEADS
        normed = self.norm(value, f"{name}.norm1")
        query, key, seen = (self.heads(normed, f"{name}.{part}", num) for part in "qkv")
        last = [0, 2, 1] if self.merged_heads else [0, 1, 3, 2]
        scores = self.new("MatMul", [query, self.new("Transpose", [key], perm=last)])
        mixed = self.new("MatMul", [self.new("Softmax", [scores], axis=-1), seen])
        if self.merged_heads:
            mixed = self.reshape(mixed, (value, 0), HEADS, num, each)
        mixed = self.new("Transpose", [mixed], perm=[0, 2, 1, 3])
        mixed = self.reshape(mixed, (mixed, 0), num, WIDTH)
        value = self.new("Add", [value, mixed])
        hidden = self.new(
            "MatMul", [self.norm(value, f"{name}.norm2"), self.weights(f"{name}.in", WIDTH, 24)]
        )
        hidden = self.new("Relu", [hidden])
        return self.new(
            "Add", [value, self.new("MatMul", [hidden, self.weights(f"{name}.out", 24, WIDTH)])]
        )

    def encoded(self, value):
        """Two blocks and the last normalisation: `tokens`."""
        for number in range(2):
            value = self.block(value, f"block{number}")
        self.norm(value, "norm")
        self.nodes[-1].output[0] = "tokens"
        return self

    def classified(self):
        """A linear layer on the class token."""
        token = self.new("Gather", ["tokens", self.scalar(0)], axis=1)
        self.new("Gemm", [token, self.weights("head.weight", 5, WIDTH)], transB=1)
        return self


def _one():
    from onnx import helper

    return helper.make_tensor("one", TensorProto.INT64, [1], [1])


def vit(**options):
    """A vision transformer that gives its tokens."""
    net = ViT(**options)
    return net.encoded(net.embedded())
