"""dcrit: when does a neural network stop memorizing and start generalizing?"""

from importlib.metadata import version

__version__ = version("dcrit")
