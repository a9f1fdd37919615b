"""SciPy's compiled product of a sparse matrix and a vector: what reading every edge once costs."""

from worker import serve


def prepare(request):
    import time

    import numpy as np
    import scipy.sparse

    rng, n, k = np.random.default_rng(0), request["cells"], request["fan"]
    pre = np.stack([rng.choice(n, k, replace=False) for _ in range(n)])
    pre.sort(axis=1)
    rows = np.arange(0, n * k + 1, k)
    weight = rng.uniform(0.5, 1.5, n * k).astype(request["precision"])
    tables = weight, pre.ravel().astype(np.int32), rows.astype(np.int32)
    matrix = scipy.sparse.csr_array(tables, shape=(n, n))
    signal = rng.uniform(size=n).astype(request["precision"])

    def run():
        start = time.perf_counter()
        for _ in range(request["steps"]):
            matrix @ signal
        return {"seconds": time.perf_counter() - start, "edges": n * k}

    return run


if __name__ == "__main__":
    serve(prepare, ("scipy", "numpy"))
