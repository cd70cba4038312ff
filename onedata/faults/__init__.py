"""What is wrong with a data home, found by looking and told in one sentence with the file and the way out; and what can be mended by itself."""

from onedata.faults.explain import explain, explain_error, worth_looking
from onedata.faults.lake import LakeDamaged, check_lake

__all__ = ["LakeDamaged", "check_lake", "explain", "explain_error", "worth_looking"]
