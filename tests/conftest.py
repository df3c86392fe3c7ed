"""What every test shares: hypothesis without deadlines, the registry, and the tests' own plugins."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

import rig
from unbraid.host.registry import Registry

settings.register_profile("unbraid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unbraid")


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Every installed plugin, and those of `rig`."""
    found = Registry.discover()
    assert found.faults == []
    found.add(rig, "rig")
    assert found.faults == []
    return found
