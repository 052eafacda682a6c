"""Everything in this folder runs on both builds of the core."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from edge.counting import build

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="session", params=["pure", "compiled"])
def core(request: pytest.FixtureRequest) -> ModuleType:
    """The module `door` of one build."""
    if request.param == "pure":
        return build.load_pure()
    try:
        return build.load_compiled()
    except build.CoreBuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def pulses(core: ModuleType) -> ModuleType:
    """The module `pulses` of the same build."""
    return importlib.import_module(core.__name__.replace("door", "pulses"))
