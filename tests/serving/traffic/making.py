"""What tests of traffic share: hosts in this process, with small brains."""

from contextlib import contextmanager

from ninebrains.serving.host import Host
from ninebrains.serving.settings import Settings
from tests.serving.making import repository


@contextmanager
def hosts(folder, names, count=1, **settings):
    """Workers of one host in this process, each with all versions loaded; a list of them."""
    told = {
        "sources": [repository(folder / "models", names)],
        "state": folder / "state",
        "policy": {"load": "all"},
        "watch_seconds": 0.05,
    }
    opened = []
    try:
        for _ in range(count):
            host = Host(Settings.model_validate(told | settings))
            opened.append(host)
            host.open()
        for host in opened:
            host.traffic.refresh()
        yield opened
    finally:
        for host in opened:
            host.close()
