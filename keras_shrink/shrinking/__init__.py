"""`shrink`: a budget in, a small model out. The only folder that composes the techniques."""
