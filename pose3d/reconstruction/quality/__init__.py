"""How well views and points agree, and what is wrong where they do not."""
