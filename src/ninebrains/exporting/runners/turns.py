"""Measures an export when it is told to, so that several can take turns.

python -I turns.py SCRIPTS FOLDER THREADS    THREADS 0: the runtime's own choice

SCRIPTS holds run.py, runtime.py and contract.py. Not part of an export. Says `ready`, then for each
number on a line of standard input runs the network so often and says `done`; at the end of the
input it prints one row as JSON. What was run in the first turn is not counted: it warms up.
"""

import json
import os
import pathlib
import sys

scripts, folder, threads = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]) or None
sys.dont_write_bytecode = True
sys.path.insert(0, scripts)
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # some runtimes print what they like

import run as runner  # noqa: E402 - the export's own


def say(text):
    print(text, file=answers, flush=True)


facts = json.loads((folder / "export.json").read_text("utf-8"))
ask = runner.open_model(folder, facts, threads)
say("ready")
turns = []
for line in sys.stdin:
    turns.append(runner.measure(ask, facts, int(line)))
    say("done")
times = [ms for turn in turns[1:] for ms in turn]
say(json.dumps(runner.figures(facts, times, threads)))
