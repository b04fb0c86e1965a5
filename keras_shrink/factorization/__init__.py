"""Factorization: one layer as a product of smaller ones."""

from keras_shrink.factorization.factorize import LayerPlan, Plan, factorize, plan
from keras_shrink.factorization.forms import Option

__all__ = ["LayerPlan", "Option", "Plan", "factorize", "plan"]
