"""The small brains that exports are tested on."""

from tests.exporting.conftest import (  # noqa: F401 - fixtures
    small_brain,
    small_pixels,
    small_regress_brain,
    train,
    trained_home,
)
