"""When each camera saw what: frame offsets and clock drift from the motion itself."""
