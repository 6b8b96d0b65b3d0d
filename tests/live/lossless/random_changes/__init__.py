"""Random configs of a stack under load, one after the other: each differs from the one before in one to five changes
of the kinds that the config knows.

What is drawn never takes from a request of the load what it needs: its host is at the gateway at any time, faults
hold for headers that the load does not have, limits are above what it sends, and versions of somebody else's run as
long as the soak does.
"""

from tests.live.lossless.random_changes.drawing import sound, steps
from tests.live.lossless.random_changes.kinds import KINDS, Config
from tests.live.lossless.random_changes.scene import SHOP, start

__all__ = ["KINDS", "SHOP", "Config", "sound", "start", "steps"]
