"""What is wrong with a data home, found by looking and told in one sentence with the file and the way out; and what can
be mended by itself."""

from onedata.faults.explain import HomeFault, explain, faults_told, version_told, worth_looking

__all__ = ["HomeFault", "explain", "faults_told", "version_told", "worth_looking"]
