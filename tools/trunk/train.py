"""Train `octo`: `python -m tools.trunk.train --pool FOLDER --teacher FILE --run FOLDER`.

Run it again with the same folder and it goes on from the last checkpoint. The recipe may have got
more phases by then.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, distributed, multiprocessing

from tools.trunk.losses import Projector, Scale, losses, total
from tools.trunk.muon import Muon
from tools.trunk.network import Octo
from tools.trunk.pool import Views, read, views
from tools.trunk.recipe import Phase, Recipe
from tools.trunk.teacher import Teacher

_BETWEEN_CHECKPOINTS_S = 180
_BETWEEN_LINES = 50
_RING = 12_288  # views kept for being seen again
_SCALE_VIEWS = 2_048


class Ring:
    """The last views and what the teacher saw in them; older ones make room."""

    def __init__(self, size: int, room: int = _RING) -> None:
        self._room = room
        self._views = torch.empty(room, size, size, 3, dtype=torch.uint8)
        self._maps: Tensor | None = None
        self._written = 0

    def add(self, new: Tensor, maps: Tensor) -> None:
        """Keep views [N,H,W,3] and the teacher's maps of them."""
        if self._maps is None:
            self._maps = torch.empty(self._room, *maps.shape[1:], dtype=torch.float16)
        places = (torch.arange(len(new)) + self._written) % self._room
        self._views[places], self._maps[places] = new, maps.to(torch.float16)
        self._written += len(new)

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Views at random, half of them mirrored, as [N,3,H,W] float, and their maps."""
        assert self._maps is not None
        held = min(self._written, self._room)
        places = torch.randint(held, (count,), generator=random)
        pixels = self._views[places].permute(0, 3, 1, 2).float()
        maps = self._maps[places].float()
        mirrored = torch.rand(count, generator=random) < 0.5
        pixels[mirrored] = pixels[mirrored].flip(3)
        maps[mirrored] = maps[mirrored].flip(3)
        return pixels.contiguous(memory_format=torch.channels_last), maps


class Training:
    """All that changes during a run.

    Every core trains in a process of its own on its share of each batch, and the gradients are
    averaged: threads that share each small convolution wait for each other far longer.
    """

    def __init__(self, recipe: Recipe, photos: list[Image.Image], teacher: Path) -> None:
        torch.manual_seed(recipe.seed)
        self._rank, self._workers = distributed.get_rank(), distributed.get_world_size()
        self._batch = recipe.batch // self._workers
        self.recipe, self._photos, self._teacher_file = recipe, photos, teacher
        self.net = Octo(recipe.widths, recipe.depths, recipe.num_features)
        self.net.to(memory_format=torch.channels_last)
        self.teacher = self._teacher(recipe.phases[0])
        chosen = np.random.default_rng(recipe.seed).permutation(len(photos))[:_SCALE_VIEWS]
        seen = views(photos, chosen, recipe.phases[0].size, Views(), recipe.seed)
        self.projector = Projector(recipe.num_features, Scale.of(self.teacher.maps(seen)))
        self.average = copy.deepcopy(self.net)
        self.optimizers = self._optimizers()
        self.seen = 0

    def _teacher(self, phase: Phase) -> Teacher:
        return Teacher(self._teacher_file, phase.teacher_size, self._batch // self.recipe.reuse)

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        kernels = [p for p in self.net.parameters() if p.ndim == 4 and p.shape[1] > 3]
        others = [p for p in self.net.parameters() if p.ndim != 4 or p.shape[1] <= 3]
        others += self.projector.parameters()
        decay = self.recipe.decay
        if self.recipe.optimizer == "adamw":
            others, kernels = (
                [p for p in others if p.ndim != 4],
                [p for p in (*kernels, *others) if p.ndim == 4],
            )
            return {
                "kernels": torch.optim.AdamW(kernels, betas=(0.9, 0.98), weight_decay=decay),
                "others": torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
            }
        return {
            "kernels": Muon(kernels, weight_decay=decay),
            "others": torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
        }

    def state(self) -> dict[str, object]:
        """What a checkpoint holds."""
        return {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "projector": self.projector.state_dict(),
            "optimizers": {name: one.state_dict() for name, one in self.optimizers.items()},
            "seen": self.seen,
        }

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint."""
        for name in ("net", "average", "projector"):
            getattr(self, name).load_state_dict(state[name])
        for name, one in self.optimizers.items():
            one.load_state_dict(state["optimizers"][name])  # type: ignore[index]
        self.seen = int(state["seen"])  # type: ignore[call-overload]

    def where(self) -> tuple[Phase, int] | None:
        """The phase that comes next and how much of it is done; None at the end."""
        before = 0
        for phase in self.recipe.phases:
            if self.seen < before + phase.views:
                return phase, self.seen - before
            before += phase.views
        return None

    def run(self, phase: Phase, done: int, report: Reporter) -> None:
        """Train to the end of a phase."""
        recipe, batch = self.recipe, self._batch
        if self.teacher.size != phase.teacher_size:
            self.teacher = self._teacher(phase)
        ring, random = Ring(phase.size), torch.Generator().manual_seed(self._seed())
        self._fill(ring, phase, 16 * batch)
        layer = (self.teacher.weight, self.teacher.bias)
        while done < phase.views:
            self._fill(ring, phase, batch // recipe.reuse)
            pixels, maps = ring.draw(batch, random)
            for optimizer in self.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = self._rate(phase, done)
            with torch.autocast("cpu", torch.bfloat16):
                terms = losses(self.net(pixels), self.projector, maps, layer)
            self.net.zero_grad()
            self.projector.zero_grad()
            total(terms, recipe.weights).backward()
            self._share_gradients()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            for optimizer in self.optimizers.values():
                optimizer.step()
            self._average()
            done += recipe.batch
            self.seen += recipe.batch
            report(self, phase, terms)

    def _fill(self, ring: Ring, phase: Phase, count: int) -> None:
        seed = self._seed() + count
        chosen = np.random.default_rng(seed).integers(len(self._photos), size=count)
        new = views(self._photos, chosen, phase.size, Views(), seed)
        ring.add(new, self.teacher.maps(new))

    def _seed(self) -> int:
        return (self.recipe.seed * 1_000_003 + self.seen) * 1_024 + self._rank * 512

    def _share_gradients(self) -> None:
        parameters = (*self.net.parameters(), *self.projector.parameters())
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(joined)
        parts = joined.div_(self._workers).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _rate(self, phase: Phase, done: int) -> float:
        fall = (1 + math.cos(math.pi * min(1.0, done / phase.views))) / 2
        rate = phase.last_rate + (phase.rate - phase.last_rate) * fall
        return rate * min(1.0, (self.seen + self.recipe.batch) / self.recipe.warmup)

    @torch.no_grad()
    def _average(self) -> None:
        # A short memory at the beginning, when the weights still move fast.
        steps = self.seen / self.recipe.batch
        keep = min(self.recipe.averaging, (1 + steps) / (10 + steps))
        state = self.net.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[name], 1 - keep)
            else:
                value.copy_(state[name])


class Reporter:
    """Keeps the log and the checkpoints of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved = self._told = time.monotonic()
        self._steps = 0
        self._mean: dict[str, float] = {}

    def __call__(self, training: Training, phase: Phase, terms: dict[str, Tensor]) -> None:
        """Count a step; write a line and a checkpoint when it is time."""
        if distributed.get_rank() != 0:
            return
        self._steps += 1
        for name, term in terms.items():
            before = self._mean.get(name, float(term.detach()))
            self._mean[name] = before + (float(term.detach()) - before) / _BETWEEN_LINES
        now = time.monotonic()
        if self._steps % _BETWEEN_LINES == 0:
            speed = _BETWEEN_LINES * training.recipe.batch / (now - self._told)
            self._told = now
            self._tell(training.seen, phase.size, speed)
        if now - self._saved > _BETWEEN_CHECKPOINTS_S:
            self.save(training)

    def save(self, training: Training) -> None:
        """Write a checkpoint; the one before stays whole until this one is."""
        path = self._folder / "checkpoint.pt"
        part = path.with_suffix(".part")
        torch.save(training.state(), part)
        part.replace(path)
        self._saved = time.monotonic()

    def _tell(self, seen: int, size: int, speed: float) -> None:
        row = {"views": seen, "size": size, "views_per_s": round(speed)}
        row |= {name: round(value, 4) for name, value in self._mean.items()}
        path = self._folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print(*(f"{name} {value}" for name, value in row.items()), flush=True)


def work(rank: int, told: argparse.Namespace) -> None:
    """Train on one core."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{(told.run / 'meeting').resolve()}",
        rank=rank,
        world_size=told.workers,
        timeout=timedelta(minutes=10),
    )
    training = Training(Recipe.read(told.recipe), read(told.pool), told.teacher)
    checkpoint = told.run / "checkpoint.pt"
    if checkpoint.exists():
        training.load(torch.load(checkpoint, weights_only=True))
        print(f"goes on after {training.seen:,} views", flush=True)
    report = Reporter(told.run)
    while (place := training.where()) is not None:
        training.run(*place, report)
        if rank == 0:
            report.save(training)


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="folder of *.tar.gz with photos")
    parser.add_argument("--teacher", type=Path, required=True, help="ONNX classifier")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    told = parser.parse_args()
    told.run.mkdir(parents=True, exist_ok=True)
    (told.run / "meeting").unlink(missing_ok=True)
    multiprocessing.spawn(work, (told,), nprocs=told.workers)


if __name__ == "__main__":
    main()
