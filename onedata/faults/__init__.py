"""Detect faults of a data home, report each in one sentence with the file and the fix, and repair what is safe to
repair."""

from onedata.faults.explain import HomeFault, explain, faults_told, version_told, worth_looking

__all__ = ["HomeFault", "explain", "faults_told", "version_told", "worth_looking"]
