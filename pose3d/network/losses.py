"""What training makes small: where each keypoint is believed to be, and how far off its location is."""

from typing import Any

from keras import ops

__all__ = ["scoremap_loss"]

_SCORE_WEIGHT = 5.0
_LOCATION_WEIGHT = 0.25


def scoremap_loss(score: Any, score_weight: Any, locref: Any, locref_weight: Any, output: Any) -> tuple[Any, Any]:
    """Compare a network's output with its targets.

    Cross-entropy of the scoremap over all cells that tell something, and Huber's loss of the location over the cells
    around each keypoint, as in DeepLabCut.

    Parameters
    ----------
    score, score_weight : (n, h, w, n_keypoints) tensor
        1 around a keypoint, else 0; weight 0 where nothing is known.
    locref, locref_weight : (n, h, w, 2 n_keypoints) tensor
        Offsets x and y of each keypoint; weight 0 away from it.
    output : (n, h, w, 3 n_keypoints) tensor
        Logits of the scoremap, then offsets.

    Returns
    -------
    score_loss, location_loss : scalar tensor
        Weighted, to be added.

    References
    ----------
    Insafutdinov et al. 2016, DeeperCut, section 3.1; Mathis et al. 2018, DeepLabCut.
    """
    n = score.shape[-1]
    logit, offset = output[..., :n], output[..., n:]
    cross_entropy = ops.softplus(logit) - score * logit
    score_loss = ops.sum(score_weight * cross_entropy) / ops.maximum(ops.sum(score_weight), 1.0)
    off = ops.abs(offset - locref)
    huber = ops.where(off < 1.0, 0.5 * off * off, off - 0.5)
    location_loss = ops.sum(locref_weight * huber) / ops.maximum(ops.sum(locref_weight), 1.0)
    return _SCORE_WEIGHT * score_loss, _LOCATION_WEIGHT * location_loss
