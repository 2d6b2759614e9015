"""Which frames to label, the page on which people label them, and which to label again."""
