"""Artefacts built by a target alone, opened as the export's own runner opens them."""

import importlib.util
from importlib import resources

from ninebrains.exporting.facts import describe
from ninebrains.exporting.target import Job
from ninebrains.exporting.targets import target


class Artefact:
    """What a target built of a brain, in a folder.

    Args:
        name: of the target.
        brain: to build.
        precision: of the artefact.
        folder: to be made.
        job: further choices.
    """

    def __init__(self, name, brain, precision, folder, **job):
        folder.mkdir()
        self.folder = folder
        self.built = target(name).build(Job((brain,), precision, **job), folder)
        self.facts = describe((brain,), name, precision, self.built.outputs, target(name).batch)
        self.runtime = runtime(name)

    def ask(self, pixels):
        """The outputs for photos, one by one."""
        run = self.runtime.open_model(self.folder, self.facts)
        return [run(photo[None]) for photo in pixels]


def runtime(name):
    """The runner's part for a runtime, as a module."""
    path = resources.files("ninebrains.exporting.runners").joinpath(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"runner_of_{name}", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
