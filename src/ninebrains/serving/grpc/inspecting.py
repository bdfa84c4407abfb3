"""The rest of the Open Inference Protocol: what there is, how it fares, loading and unloading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninebrains.serving.grpc.calls import Call, Method
from ninebrains.serving.grpc.messages import Message, message

if TYPE_CHECKING:
    from ninebrains.serving.host import Host


def methods(host: Host) -> dict[str, Method]:
    """The methods of this module, by name."""

    async def live(_request: Message, _call: Call) -> Message:
        return message("inference.ServerLiveResponse")(live=True)

    async def ready(_request: Message, _call: Call) -> Message:
        return message("inference.ServerReadyResponse")(ready=host.is_ready)

    return {
        "ServerLive": Method(live, scope=None),
        "ServerReady": Method(ready, scope=None),
    }
