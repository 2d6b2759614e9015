"""2D keypoints from images: networks, their training, evaluation and use. The one home of tensorflow.

What only applies a network (`prediction`, `analysis`, `blazepose`) runs in LiteRT and imports no tensorflow.
"""
