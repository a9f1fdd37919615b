"""hh_reference.c: the same equations stepped by hand, vectorised by gcc."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from worker import CURRENT, serve

SOURCE = Path(__file__).parent / "hh_reference.c"
FLOWS = {"exponential": 0, "Pade": 1, "Crank-Nicolson": 2}
PRECISIONS = {"float32": ["-DREAL=float", "-DSINGLE"], "float64": ["-DREAL=double"]}
WIDTHS = (256, 512)
FOLDER = tempfile.TemporaryDirectory()
FASTEST = {}


def what(request):
    """What is settled when it is compiled."""
    return request["scheme"], request["flow"], request["precision"]


def build(request, width):
    """The program for a scheme, a flow, a precision and a width of vectors."""
    gcc = shutil.which(os.environ.get("CC", "gcc"))
    if gcc is None:
        raise ImportError("no C compiler")
    program = Path(FOLDER.name) / "_".join([*what(request), str(width)]).replace(" ", "_")
    if not program.exists():
        flags = ["-O3", "-march=native", "-ffast-math", f"-mprefer-vector-width={width}"]
        flags += PRECISIONS[request["precision"]]
        flags += [f"-DFLOW={FLOWS[request['flow']]}"]
        flags += [f"-DALL_AT_ONCE={int(request['scheme'] == 'all at once')}"]
        subprocess.run([gcc, *flags, SOURCE, "-o", program, "-lm"], check=True)
    return program


def call(program, cells, steps, dt, *file):
    """Seconds of the loop, by its own clock."""
    words = [program, cells, steps, dt, CURRENT, *file]
    done = subprocess.run([str(x) for x in words], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def fastest(request):
    """The program of whichever width is faster here (2 to 4 times, where the core has AVX-512)."""
    if what(request) not in FASTEST:
        programs = {width: build(request, width) for width in WIDTHS}
        best = min(WIDTHS, key=lambda w: min(call(programs[w], 4096, 200, 0.025) for _ in "123"))
        FASTEST[what(request)] = programs[best], best
    return FASTEST[what(request)]


def prepare(request):
    program, width = fastest(request)
    cells, dt = request.get("cells", 1), request["dt"]
    steps = request.get("steps") or round(request["span"] / dt)

    def time():
        return {"seconds": call(program, cells, steps, dt), "width": width}

    def trace():
        from array import array

        with tempfile.NamedTemporaryFile(suffix=".f64") as file:
            call(program, 1, steps, dt, file.name)
            v = array("d", file.read())
        return {"trace": ([k * dt for k in range(len(v))], v), "width": width}

    return trace if request["do"] == "trace" else time


if __name__ == "__main__":
    serve(prepare)
