"""Which of a project's labelled images are held out of training, as its settings say."""

import numpy as np

from pose3d.batch.network_evaluation import common_times
from pose3d.data.labels import LabelledImages
from pose3d.geometry.arrays import IntArray
from pose3d.network.splits import split_images
from pose3d.project import Project

__all__ = ["choose_held_out"]


def choose_held_out(project: Project, images: LabelledImages) -> tuple[IntArray, IntArray]:
    """Choose images to hold out, all cameras of an instant together, whenever each of them began.

    Parameters
    ----------
    project : Project
    images : LabelledImages

    Returns
    -------
    train, test : (n,) int arrays
        Indices of the images, ascending; neighbours of those held out are in neither.

    Raises
    ------
    DataError
        If there are too few instants to hold one out.
    """
    settings = project.config.training
    if settings.test_fraction == 0:
        return np.arange(len(images)), np.arange(0)
    times = common_times(project, images)
    return split_images(
        images, test_fraction=settings.test_fraction, by=settings.split, seed=settings.seed, times=times
    )
