"""Talking to a host elsewhere as if it were here.

connecting  `connect`
host        what users call; `brain` one of its brains
options     what a call may be told
talking     the conversations, of `steps`; `retrying`, `faults`, `facts`, `shrinking`
doing       the steps over HTTP, for those who wait and those who await
"""

from ninebrains.connecting.brain import RemoteBrain
from ninebrains.connecting.connecting import connect
from ninebrains.connecting.host import RemoteHost
from ninebrains.connecting.inferences import RemoteInference, RemoteInferences

__all__ = ["RemoteBrain", "RemoteHost", "RemoteInference", "RemoteInferences", "connect"]
