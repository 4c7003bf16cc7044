"""The command line: a client of the HTTP API and of nothing else.

Lives here: options, sentences, exit codes. What never does: a decision about a change, or an import
of the engine, so that every command starts at once. Three commands speak to more than the API, as
each says: `give-back` (the keeper), `judge` (a file), `up` (which is the daemon).
"""
