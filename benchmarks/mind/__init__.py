"""What the mind is for, measured: many brains for about the price of one.

    python -m benchmarks.mind            all of them, on one set of brains
    python -m benchmarks.mind.equal      answers alone and in company
    python -m benchmarks.mind.many       one photo through N brains, beside three peers
    python -m benchmarks.mind.stream     32 callers, each request for one random brain
    python -m benchmarks.mind.memory     what a process holds
    python -m benchmarks.mind.swap       adding and removing brains while others answer
    python -m benchmarks.mind.partial    brains that share the lower two thirds of a trunk
    python -m benchmarks.mind.soak       everything at once for ten minutes, every answer checked

Each takes `--quick` (few repeats, to see that it runs; it writes nothing). All but `soak` take
`--trunks octo,mobilenet_v2_100` and `--folder FOLDER`, to keep the brains for the next run.
"""
