TITLE Fast sodium current of Pospischil et al. (2008), section 2.2.1, after Traub and Miles (1991)
: m' = am (1 - m) - bm m, h' = ah (1 - h) - bh h, with u = v - VT; no tables.

NEURON {
    SUFFIX ptna
    USEION na READ ena WRITE ina
    RANGE gbar, VT
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.056 (S/cm2)
    VT = -56.2 (mV)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    am (/ms)
    bm (/ms)
    ah (/ms)
    bh (/ms)
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gbar * m * m * m * h * (v - ena)
}

INITIAL {
    rates(v)
    m = am / (am + bm)
    h = ah / (ah + bh)
}

DERIVATIVE states {
    rates(v)
    m' = am * (1 - m) - bm * m
    h' = ah * (1 - h) - bh * h
}

PROCEDURE rates(v (mV)) {
    LOCAL u
    u = v - VT
    am = 0.32 * 4 * ratio((13 - u) / 4)
    bm = 0.28 * 5 * ratio((u - 40) / 5)
    ah = 0.128 * exp((17 - u) / 18)
    bh = 4 / (1 + exp((40 - u) / 5))
}

: x / (exp(x) - 1)
FUNCTION ratio(x) {
    if (fabs(x) < 1e-6) {
        ratio = 1 - x / 2
    } else {
        ratio = x / (exp(x) - 1)
    }
}
