"""The messages of the protocols, as classes made from their descriptors.

They live in a pool of their own, so that they meet neither TensorFlow's nor Triton's generated code
where a program has those loaded too, and they fit whatever version of protobuf there is.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

Message: TypeAlias = Any
"""A message. Its fields are known from the .proto files alone, so no type checker knows them."""


@cache
def pool() -> Message:
    """The descriptors of all messages and services here."""
    made = descriptor_pool.DescriptorPool()
    for module in (any_pb2, wrappers_pb2):
        made.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    file = resources.files("ninebrains.serving.grpc") / "protocols" / "descriptors.binpb"
    # They lie in the set in an order in which each has what it imports before it.
    for descriptor in descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes()).file:
        made.Add(descriptor)
    return made


@cache
def message(name: str) -> Message:
    """The class of a message, by its full name such as `tensorflow.TensorProto`."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def service(name: str) -> Message:
    """The descriptor of a service, by its full name such as `grpc.health.v1.Health`."""
    return pool().FindServiceByName(name)
