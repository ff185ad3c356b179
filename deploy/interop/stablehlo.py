"""XLA (TensorFlow's XlaCallModule) runs StableHLO of Spindle's engine: each primitive, the golden cases, open batch sizes.

The cases are what the tests write with SPINDLE_STABLEHLO_CASES: program, operands, and the engine's own results. Where there is a
choice, as of the signs of eigenvectors, the programs themselves go on to what does not depend on it.
"""

import base64
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By itself XLA's maximum and minimum may drop NaN on CPUs, against StableHLO's definition; jax turns that off as well.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_enable_fast_min_max=false"
# TensorFlow keeps what it has compiled: a process runs so many cases, then another one takes over.
CHUNK = 1000


def array(entry):
    import ml_dtypes
    import numpy

    dtype = numpy.dtype(getattr(ml_dtypes, "bfloat16")) if entry["dtype"] == "bfloat16" else numpy.dtype(entry["dtype"])
    return numpy.frombuffer(base64.b64decode(entry["elements"]), dtype).reshape(entry["shape"])


def excused(want, operands):
    """Elements that XLA takes for zeros: operands of elementwise operations that are subnormal."""
    import numpy

    result = numpy.zeros(want.shape, bool)
    for operand in operands:
        if operand.dtype == numpy.float32 and operand.shape == want.shape:
            result |= (operand != 0) & (numpy.abs(operand) < numpy.finfo(numpy.float32).tiny)
    return result


def difference(got, want, operands, relative, absolute):
    """What is wrong with a result, or None."""
    import numpy

    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype}{got.shape}, not {want.dtype}{want.shape}"
    near = (got == want) | excused(want, operands)
    if want.dtype.kind not in "biu":
        got, want = got.astype("float64"), want.astype("float64")
        with numpy.errstate(invalid="ignore"):
            near |= numpy.abs(got - want) <= absolute + relative * numpy.abs(want)
        near |= numpy.isnan(got) & numpy.isnan(want)
    if near.all():
        return None
    at = numpy.argmin(near.ravel())
    return f"element {at}: {got.ravel()[at]!r}, not {want.ravel()[at]!r}"


def run(case):
    """What is wrong with a case, or None."""
    import tensorflow
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    operands = [array(entry) for entry in case["inputs"]]
    wanted = [array(entry) for entry in case["outputs"]]
    try:
        results = gen_xla_ops.xla_call_module(
            args=[tensorflow.constant(operand) for operand in operands], version=9, module=case["text"],
            Sout=[want.shape for want in wanted], Tout=[tensorflow.as_dtype(want.dtype) for want in wanted],
            dim_args_spec=[], platforms=["CPU"], function_list=[], has_token_input_output=False, disabled_checks=[])
    except Exception as error:
        return f"not accepted: {str(error)[:600]}"
    for got, want in zip(results, wanted):
        problem = difference(got.numpy(), want, operands, case["relative"], case["absolute"])
        if problem:
            return problem
    return None


def worker(path, first, last):
    """Runs a part of a file in a process of its own, since XLA ends the process on some errors."""
    for k, case in list(enumerate(json.loads(pathlib.Path(path).read_text())))[first:last]:
        print(json.dumps([k, "started"]), flush=True)
        print(json.dumps([k, run(case)]), flush=True)


def check(path):
    """The problems of a file's cases, by their names."""
    names = [case["name"] for case in json.loads(path.read_text())]
    problems, first = {}, 0
    while first < len(names):
        last = min(first + CHUNK, len(names))
        command = [sys.executable, __file__, "--worker", str(path), str(first), str(last)]
        output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        state = {k: result for k, result in map(json.loads, output.stdout.splitlines())}
        for k, result in state.items():
            if result:
                problems[f"{k} {names[k]}"] = output.stderr[-600:] if result == "started" else result
        if not state:
            raise SystemExit(f"nothing ran: {output.stderr[-2000:]}")
        first = max(state) + 1
    return names, problems


def main(folder):
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    equal, failed = 0, not paths
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for path, (names, problems) in zip(paths, pool.map(check, paths)):
            print(f"  {len(names) - len(problems)} of {len(names)} {path.stem} equal the engine's results in XLA", flush=True)
            for name, problem in problems.items():
                print(f"  FAILED: {name}: {problem}", flush=True)
            equal += len(names) - len(problems)
            failed = failed or bool(problems) or not names
    print(f"  in all {equal} programs")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        worker(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(sys.argv[1])
