"""Transforms: what happens to items on their way, declared as data or as a Python function."""

from isthmus_migration.transforms.compiling import CompiledTransform, compile_transform
from isthmus_migration.transforms.declaration import Transform
from isthmus_migration.transforms.differences import Change, Sample, difference, dry_run
from isthmus_migration.transforms.errors import TransformError
from isthmus_migration.transforms.functions import source_hash
from isthmus_migration.transforms.mapping_files import read_mapping, read_mapping_file
from isthmus_migration.transforms.parts import Computed, Merge, Split, TypeOf
from isthmus_migration.transforms.targets import Target, target_of

__all__ = [
    "Change",
    "CompiledTransform",
    "Computed",
    "Merge",
    "Sample",
    "Split",
    "Target",
    "Transform",
    "TransformError",
    "TypeOf",
    "compile_transform",
    "difference",
    "dry_run",
    "read_mapping",
    "read_mapping_file",
    "source_hash",
    "target_of",
]
