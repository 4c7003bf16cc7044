"""The process that alone writes the routes and holds the dead-man's lease; imports none of ours."""
