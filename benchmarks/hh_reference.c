/* The limit: a population of Hodgkin-Huxley cells stepped by hand, vectorised by the compiler.
 *
 * Reads from the command line: N steps dt current scheme (0 symmetric, 1 all at once), prints the
 * seconds of the loop, the last mean voltage, and the upward crossings of 0 mV of cell 0.
 * gcc -O3 -march=native -ffast-math -DREAL=float hh_reference.c -lm
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef REAL real;
#if defined(SINGLE)
#define EXP expf
#define FABS fabsf
#else
#define EXP exp
#define FABS fabs
#endif

static inline real linoid(real x) {
  real far = FABS(x) < (real)1e-3 ? (real)1 : x;
  real value = far / ((real)1 - EXP(-far));
  return FABS(x) < (real)1e-3 ? (real)1 + x / 2 : value;
}

static inline real flow(real y, real drive, real decay, real dt) {
  real rest = drive / decay;
  return rest + (y - rest) * EXP(-dt * decay);
}

static inline real membrane(real v, real m, real h, real n, real current, real dt) {
  real na = (real)120 * m * m * m * h, k = (real)36 * n * n * n * n, leak = (real)0.3;
  return flow(v, na * 50 - k * 77 - leak * (real)54.387 + current, na + k + leak, dt);
}

static void step(real *restrict v, real *restrict m, real *restrict h, real *restrict n,
                 long cells, real dt, real current, int all_at_once) {
#pragma GCC ivdep
  for (long i = 0; i < cells; i++) {
    real before = v[i];
    real w = all_at_once ? before : membrane(before, m[i], h[i], n[i], current, dt / 2);
    real am = linoid((w + 40) / 10), bm = 4 * EXP(-(w + 65) / 18);
    real ah = (real)0.07 * EXP(-(w + 65) / 20), bh = 1 / (1 + EXP(-(w + 35) / 10));
    real an = (real)0.1 * linoid((w + 55) / 10), bn = (real)0.125 * EXP(-(w + 65) / 80);
    real next = all_at_once ? membrane(before, m[i], h[i], n[i], current, dt) : w;
    m[i] = flow(m[i], am, am + bm, dt);
    h[i] = flow(h[i], ah, ah + bh, dt);
    n[i] = flow(n[i], an, an + bn, dt);
    v[i] = all_at_once ? next : membrane(w, m[i], h[i], n[i], current, dt / 2);
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  long cells = atol(argv[1]), steps = atol(argv[2]);
  real dt = (real)atof(argv[3]), current = (real)atof(argv[4]);
  int all_at_once = atoi(argv[5]);
  real *v = aligned_alloc(64, 4 * (cells + 16) * sizeof(real));
  real *m = v + cells, *h = m + cells, *n = h + cells;
  for (long i = 0; i < cells; i++) {
    v[i] = -65;
    m[i] = (real)0.052932485257249577, h[i] = (real)0.59612075350846028;
    n[i] = (real)0.31767691406069742;
  }
  struct timespec a, b;
  double spikes[64];
  int count = 0;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (long s = 0; s < steps; s++) {
    real before = v[0];
    step(v, m, h, n, cells, dt, current, all_at_once);
    if (before < 0 && v[0] >= 0 && count < 64)
      spikes[count++] = dt * (s + (double)(-before) / (double)(v[0] - before));
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  double mean = 0;
  for (long i = 0; i < cells; i++) mean += v[i];
  printf("%.9g %.9g", (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec), mean / cells);
  for (int i = 0; i < count; i++) printf(" %.9g", spikes[i]);
  printf("\n");
  return 0;
}
