"""The program refuses what `weir check` refuses, with the same lines, before the engine hears of any resource."""

from __future__ import annotations

import pulumi
import pytest

from tests.components.test_program import Recorded, run
from tests.unit.model.test_bad_configs import EACH, Bad


@EACH
def test_a_bad_config_registers_nothing(bad: Bad) -> None:
    """One error with every line, and no resource: an update that cannot be right changes nothing."""
    recorded = Recorded()
    with pytest.raises(pulumi.RunError) as refused:
        run(bad.config, recorded)
    said = [line for line in str(refused.value).splitlines() if ": values that " not in line]
    assert said == bad.said
    assert recorded.resources == {}
