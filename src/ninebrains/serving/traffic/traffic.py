"""`Traffic`: which version answers a request."""

from __future__ import annotations

from ninebrains.errors import MissingError
from ninebrains.serving.asking import Asker, Chosen
from ninebrains.serving.catalog import Catalog
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic.route import Route


class Traffic:
    """Which version answers a request.

    Args:
        ledger: where routes are kept.
        catalog: which versions can be asked here.
    """

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._routes: dict[str, Route] = {}
        catalog.held = self.held

    def choose(self, wanted: str, asker: Asker) -> Chosen:
        """The version that answers.

        Args:
            wanted: a name; or `name@number`, or `name@stable`, `name@canary`, `name@shadow`.
            asker: whose request it is.

        Raises:
            MissingError: no such brain, version or alias is ready.
        """
        del asker
        name, _, version = wanted.partition("@")
        ready = self._catalog.ready(name)
        if not ready:
            raise MissingError(f"there is no brain {name!r} here")
        if version.isdecimal():
            if int(version) not in ready:
                raise MissingError(f"{name} has no version {version} that is ready")
            return Chosen(name, int(version), "version")
        return Chosen(name, ready[-1], "stable")

    def shadows(self, chosen: Chosen) -> tuple[Chosen, ...]:
        """Who is to run along unseen with an answer."""
        del chosen
        return ()

    def held(self, name: str) -> frozenset[int]:
        """Versions that the route of a name speaks of, so that they have to be loaded."""
        route = self._routes.get(name, Route())
        numbers = (route.stable, route.canary, route.shadow)
        return frozenset(number for number in numbers if number is not None)

    def refresh(self) -> None:
        """Take over what other workers changed."""
