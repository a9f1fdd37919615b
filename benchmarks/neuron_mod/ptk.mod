TITLE Delayed rectifier of Pospischil et al. (2008), section 2.2.1, after Traub and Miles (1991)
: n' = an (1 - n) - bn n, with u = v - VT; no tables.

NEURON {
    SUFFIX ptk
    USEION k READ ek WRITE ik
    RANGE gbar, VT
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.006 (S/cm2)
    VT = -56.2 (mV)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    an (/ms)
    bn (/ms)
}

STATE { n }

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar * n * n * n * n * (v - ek)
}

INITIAL {
    rates(v)
    n = an / (an + bn)
}

DERIVATIVE states {
    rates(v)
    n' = an * (1 - n) - bn * n
}

PROCEDURE rates(v (mV)) {
    LOCAL u
    u = v - VT
    an = 0.032 * 5 * ratio((15 - u) / 5)
    bn = 0.5 * exp((10 - u) / 40)
}

: x / (exp(x) - 1)
FUNCTION ratio(x) {
    if (fabs(x) < 1e-6) {
        ratio = 1 - x / 2
    } else {
        ratio = x / (exp(x) - 1)
    }
}
