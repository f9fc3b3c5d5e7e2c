"""Code for a process in which TensorFlow, clu, PyTorch and dlib cannot be imported."""

WITHOUT_TENSORFLOW = """
import sys

sys.modules.update(dict.fromkeys(("tensorflow", "tensorflow_datasets", "clu", "torch", "dlib")))
"""
