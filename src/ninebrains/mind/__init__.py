"""Many brains as one graph: each part that they share is computed once.

forms       graphs in canonical form, every value named by its Merkle hash; cut points
tree        the radix tree of segments; `segments`, compiled by `backends`
heads       tails of brains, run together
scheduling  tickets, lanes, batches
company     who is there, placed in tree and heads; `shelf` for those put away
mind        requests from photo to answer; `passing` sends a batch down the tree
guests      networks from elsewhere
tuning      the fastest way to run a segment here
"""

from ninebrains.mind.explaining import Explanation
from ninebrains.mind.guests import Guest, import_model
from ninebrains.mind.inferences import Inferences
from ninebrains.mind.mind import Mind

__all__ = ["Explanation", "Guest", "Inferences", "Mind", "import_model"]
