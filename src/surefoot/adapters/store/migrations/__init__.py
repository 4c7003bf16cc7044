"""How a store of an older Surefoot becomes one of this."""
