# Writes the array files that the tests of safetensors, npy and npz read: what the real libraries make of known arrays.
# Run with Python, numpy, ml_dtypes and safetensors: python make.py FOLDER
import io, json, struct, sys, zipfile
import ml_dtypes
import numpy as np
from safetensors.numpy import save

folder = sys.argv[1]
dtypes = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]

def values(dtype, shape=(2, 3)):
    count = int(np.prod(shape))
    return np.array([(k * 7 % 5) - (0 if dtype.startswith(("u", "bool")) else 2) for k in range(count)]).reshape(shape).astype(dtype)

arrays = {f"all/{d}": values(d) for d in dtypes}
arrays["all/bfloat16"] = values("float32").astype(ml_dtypes.bfloat16)
arrays["all/complex64"] = (values("float32") * (1 + 2j)).astype("complex64")
arrays["scalar"] = np.array(2.5, np.float32)
arrays["empty"] = np.zeros((0, 4), np.int32)
arrays["name with \"quotes\", \\ and ünïcode"] = np.array([1, 2], np.int64)

open(f"{folder}/all.safetensors", "wb").write(save(arrays, metadata={"format": "np"}))
open(f"{folder}/plain.safetensors", "wb").write(save({"a": values("float32"), "b": values("int32", (4,))}))

def npy(name, array, **kw):
    np.lib.format.write_array(open(f"{folder}/{name}.npy", "wb"), array, **kw)

for d in dtypes: np.save(f"{folder}/{d}.npy", values(d))
np.save(f"{folder}/bfloat16.npy", arrays["all/bfloat16"])
np.save(f"{folder}/complex64.npy", values("float32").astype("complex64") * (1 + 2j))
np.save(f"{folder}/fortran.npy", np.asfortranarray(values("float32")))
np.save(f"{folder}/bigendian.npy", values("int32").astype(">i4"))
np.save(f"{folder}/scalar.npy", np.float64(2.5))
np.save(f"{folder}/vector.npy", values("float32", (5,)))
npy("version2", values("float32"), version=(2, 0))
npy("version3", values("float32"), version=(3, 0))
np.save(f"{folder}/object.npy", np.array([None, 1], dtype=object), allow_pickle=True)
np.save(f"{folder}/structured.npy", np.zeros(2, dtype=[("x", "f4"), ("y", "i4")]))

plain = {k.replace("/", "_"): v for k, v in arrays.items() if "name" not in k}
np.savez(f"{folder}/stored.npz", **plain)
rng = np.random.default_rng(0)
big = {"repeated": np.tile(np.arange(64, dtype=np.float32), 64).reshape(64, 64), "random": rng.integers(0, 255, 700).astype(np.uint8), "nested/name": values("int32")}
np.savez_compressed(f"{folder}/deflated.npz", **big)
