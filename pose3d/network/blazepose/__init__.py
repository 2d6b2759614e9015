"""BlazePose: 33 landmarks of people, from two ready networks in LiteRT."""
