"""Clustering: weights that share a few values, so that a weight is an index into a table."""

from keras_shrink.clustering.cluster import cluster
from keras_shrink.clustering.coding import CodedKernel, CodingReport, coding_report

__all__ = ["CodedKernel", "CodingReport", "cluster", "coding_report"]
