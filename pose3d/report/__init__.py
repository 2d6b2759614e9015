"""Pages for people: one file each, offline. Modules are imported by name, as each needs other libraries."""
