import sys

from benchmarks import cli
from benchmarks.place import run_suite

if __name__ == "__main__":
    cli.read(sys.argv[1:])  # A mistake is told before anything is started.
    sys.exit(run_suite(sys.argv[1:]))
