"""A run that cannot fit is refused before it is built."""

import pytest

from lab.config import ConfigError
from lab.experiments.river_valley import RiverValley
from lab.memory import require_memory


def test_what_does_not_fit_is_refused_with_both_sizes_and_the_rest_is_not():
    require_memory(1e9, "tables", present=2e9)
    with pytest.raises(ConfigError, match="tables: 3 GB are needed, this machine has 2 GB"):
        require_memory(3e9, "tables", present=2e9)
    with pytest.raises(ConfigError, match="this machine has"):
        require_memory(1e18, "tables")


def test_tables_larger_than_the_machine_are_refused_before_they_are_built():
    values = {"scene": "schedules", "contexts": 20_000, "tokens": 1000, "replicates": 64}
    config = RiverValley.configure("bigram", values=values)
    with pytest.raises(ConfigError, match="contexts, tokens or replicates"):
        RiverValley(config).setup()
