"""One step of the schema each; a step that was released is never altered."""
