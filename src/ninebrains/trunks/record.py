"""What is known about a trunk beside its graph: the whole of a `trunk.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ninebrains.brains.graph import Graph
from ninebrains.brains.manifest import NAME_PATTERN, Sha256
from ninebrains.images import Contract
from ninebrains.trunks.trunk import Trunk


class TrunkRecord(BaseModel):
    """The whole of `trunk.json`. The hash is the graph's, which names every weight by its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    hash: Sha256
    contract: Contract
    num_features: int = Field(ge=1)
    map_size: tuple[int, int]
    family: str
    source: str

    @classmethod
    def of(cls, trunk: Trunk) -> TrunkRecord:
        """The record of a trunk."""
        return cls(
            name=trunk.name,
            hash=trunk.hash,
            contract=trunk.contract,
            num_features=trunk.num_features,
            map_size=trunk.map_size,
            family=trunk.family,
            source=trunk.source,
        )

    def trunk(self, graph: Graph) -> Trunk:
        """The trunk that this is the record of."""
        return Trunk(
            name=self.name,
            graph=graph,
            contract=self.contract,
            num_features=self.num_features,
            map_size=self.map_size,
            family=self.family,
            source=self.source,
        )
