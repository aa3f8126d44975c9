"""The tests: a package, so that no other distribution's folder of this name stands in its place."""
