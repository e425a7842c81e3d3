"""Writers of small MATLAB files, in the exact layout of version 7.3."""

from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

CLASSES = {"float64": "double", "float32": "single", "bool": "logical"}


def save73(path, arrays):
    """Write arrays as MATLAB does: 512 bytes before the HDF5, axes the other way round, a class at each."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if sp.issparse(array):
                _sparse(file.create_group(name), sp.csc_array(array))
                continue
            array = np.asarray(array)
            stored = array.astype(np.uint8) if array.dtype == bool else array
            dataset = file.create_dataset(name, data=stored.T, compression="gzip" if array.size > 8 else None)
            dataset.attrs["MATLAB_class"] = np.bytes_(CLASSES.get(array.dtype.name, array.dtype.name))
    with Path(path).open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 .")


def _sparse(group, matrix):
    group.attrs["MATLAB_class"] = np.bytes_("double")
    group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
    group["jc"] = matrix.indptr.astype(np.uint64)
    if matrix.nnz:
        group["ir"], group["data"] = matrix.indices.astype(np.uint64), matrix.data
