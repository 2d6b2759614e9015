"""Which detection is whose: left and right, people, candidate peaks."""
