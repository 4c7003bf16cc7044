"""The control plane as pages that people read: server-rendered HTML, live by server-sent events.

Lives here: what stands on each page, in which words and in which order, and how a page follows what
happens. What never does: a decision about a change; `Control` is the one door. Every page is whole
without JavaScript: it then loads itself anew.
"""
