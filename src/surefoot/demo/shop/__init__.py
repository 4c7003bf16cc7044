"""A small shop: a page, a catalogue and a checkout."""
