TITLE Slow non-inactivating potassium current of Pospischil et al. (2008), section 2.2.2
: p' = (pinf - p) / taup, pinf = 1 / (1 + exp(-(v + 35) / 10)),
: taup = taumax / (3.3 exp((v + 35) / 20) + exp(-(v + 35) / 20)); no tables.

NEURON {
    SUFFIX ptm
    USEION k READ ek WRITE ik
    RANGE gbar, taumax
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.000075 (S/cm2)
    taumax = 608 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    pinf
    taup (ms)
}

STATE { p }

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar * p * (v - ek)
}

INITIAL {
    rates(v)
    p = pinf
}

DERIVATIVE states {
    rates(v)
    p' = (pinf - p) / taup
}

PROCEDURE rates(v (mV)) {
    pinf = 1 / (1 + exp(-(v + 35) / 10))
    taup = taumax / (3.3 * exp((v + 35) / 20) + exp(-(v + 35) / 20))
}
