"""NEST's Brunel network with astrocytes, on one thread."""

import time

import brunel_setting as s
from worker import serve


def prepare(request):
    """A function that builds the network anew, runs it, and says how long the run took."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    return lambda: run(nest, request)


def run(nest, request):
    nest.ResetKernel()
    nest.resolution = s.DT
    nest.local_num_threads = 1
    nest.rng_seed = 1 + request["seed"]
    start = time.perf_counter()
    exc, inh, glia = network(nest)
    from_exc, from_inh = nest.Create("spike_recorder"), nest.Create("spike_recorder")
    nest.Connect(exc, from_exc)
    nest.Connect(inh, from_inh)
    nest.Prepare()
    built = time.perf_counter()
    nest.Run(request["span"])
    seconds = time.perf_counter() - built
    nest.Cleanup()
    per_second = 1000.0 / request["span"]
    return {
        "seconds": seconds,
        "phases": {"build": built - start},
        "activity": {
            "exc": from_exc.n_events * per_second / s.N_EXC,
            "inh": from_inh.n_events * per_second / s.N_INH,
            "ip3": sum(glia.IP3) / s.N_ASTRO,
            "calcium": sum(glia.Ca_astro) / s.N_ASTRO,
        },
    }


def network(nest):
    """Excitatory cells, inhibitory cells and astrocytes, connected as in the example."""
    taus = {"tau_syn_ex": s.TAU_EXC, "tau_syn_in": s.TAU_INH}
    exc = nest.Create("aeif_cond_alpha_astro", s.N_EXC, params=taus)
    inh = nest.Create("aeif_cond_alpha_astro", s.N_INH, params=taus)
    glia = nest.Create("astrocyte_lr_1994", s.N_ASTRO, params={"IP3": s.IP3})
    noise = nest.Create("poisson_generator", params={"rate": s.POISSON})
    nest.Connect(noise, exc + inh, syn_spec={"weight": s.W_EXC})
    excitatory = terminal(s.W_EXC, s.TAU_EXC, s.DELAY_EXC)
    nest.TripartiteConnect(
        exc,
        exc + inh,
        glia,
        conn_spec={"rule": "pairwise_bernoulli", "p": s.P_EDGE},
        third_factor_conn_spec={
            "rule": "third_factor_bernoulli_with_pool",
            "p": s.P_ASTRO,
            "pool_size": s.POOL,
            "pool_type": "random",
        },
        syn_specs={
            "primary": excitatory,
            "third_in": excitatory,
            "third_out": {"synapse_model": "sic_connection", "weight": s.W_ASTRO},
        },
    )
    inhibitory = terminal(s.W_INH, s.TAU_INH, s.DELAY_INH)
    nest.Connect(inh, exc + inh, {"rule": "pairwise_bernoulli", "p": s.P_EDGE}, inhibitory)
    return exc, inh, glia


def terminal(weight, tau, delay):
    """A depressing synapse."""
    return {"synapse_model": "tsodyks_synapse", "weight": weight, "tau_psc": tau, "delay": delay}


if __name__ == "__main__":
    serve(prepare, ("nest-simulator", "numpy"))
