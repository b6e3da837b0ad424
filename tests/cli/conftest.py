from tests.household.conftest import stopped

__all__ = ["stopped"]
