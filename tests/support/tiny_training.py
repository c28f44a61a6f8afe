"""Trains tiny models in this process, to be interrupted at any step."""

import dataclasses

from zoo.evaluation import families
from zoo.models import dense_vae, maf, recipe
from zoo.runs import devices, opening
from zoo.runs.directory import Directory
from zoo.runs.progress import Progress
from zoo.runs.run import Run, Trained
from zoo.runs.settings import Settings
from zoo.runs.signals import Stop
from zoo.runs.state import State
from zoo.runs.training import Training

MODELS = {'maf': ('moons', maf.Config(layers=1, hidden='8')),
          'dense_vae': ('digits', dense_vae.Config(hidden='8', latent_dims=2))}


class Killed(Exception):
    """Ends a training at once, as a kill would, with what is on the disk."""


class Interruptions(Progress):
    """Ends a training after some step.

    Args:
        at: The number of the step; None for never.
        action: What is called then.
    """

    def __init__(self, at=None, action=None):
        super().__init__(0, 1, 1, 1, 'images')
        self._at, self._action = at, action or self._kill

    def _kill(self):
        raise Killed

    def end_step(self, state, figures):
        if state.step == self._at:
            self._action()


class TinyRun:
    """A run of seven steps an epoch; each `go_on` is a new process as far as the model goes."""

    def __init__(self, path, data_dir=None, model='maf', settings=None, **training):
        self.directory = Directory(path)
        dataset, config = MODELS[model]
        self.run = Run(model, dataset, 'tiny', False, None, config, recipe.Training(),
                       str(data_dir), settings or Settings(save_every='3steps'))
        self.data = self.run.load_data()
        values = {'learning_rate': .01, 'epochs': 2, 'ema': .5,
                  'batch_size': self.data.sizes['train'] // 7, **training}
        self.run = dataclasses.replace(self.run, training=recipe.Training(**values))
        self.stop, self.said = Stop(), []

    def build(self):
        return self.run.build(self.data)

    def go_on(self, at=None, action=None, change=None):
        """Trains from the newest checkpoint; returns the `Training`.

        Args:
            at: The step at which it is interrupted.
            action: What is called then; the default ends the training at once.
            change: A function of the model that is called before.
        """
        used = devices.make(self.run.settings)
        with used.scope():
            model = self.build()
        self.directory.path.mkdir(parents=True, exist_ok=True)
        self.directory.write(self.run)
        with self.directory.own():
            state = opening.resumed(model, self.directory, self.said.append)
            if state is None:
                model.prepare(self.data.train(self.run.training.batch_size, 0))
            trained = Trained(self.run, self.data, model)
            training = Training(trained, used, self.directory, families.family_of(trained).watch(),
                                self.stop, Interruptions(at, action), state or State())
            if change:
                change(model)
            training.go_on(self.run.training.epochs)
        return training
