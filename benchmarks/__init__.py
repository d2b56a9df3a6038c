"""What `make bench` runs: speed, latency, memory and storage, measured on real services.

Every figure comes with its reference from the same run, interleaved with it, so that a ratio
tells more than the machine of the day. `python -m benchmarks --help` lists the benchmarks.
"""
