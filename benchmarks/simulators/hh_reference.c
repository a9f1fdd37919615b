/* The limit: a population of Hodgkin-Huxley cells stepped by hand, vectorised by the compiler.
 *
 * Arguments: cells steps dt current [file]. Prints the seconds of the loop, run once before that
 * to warm up, and the last mean voltage; with a file, writes the voltage of cell 0 at every time there, as doubles, untimed.
 *
 * gcc -O3 -march=native -ffast-math -DREAL=float -DSINGLE -DFLOW=0 -DALL_AT_ONCE=0 ... -lm
 * FLOW: how one state relaxes in a step: 0 exponential, 1 Pade(2,2), 2 Crank-Nicolson.
 * ALL_AT_ONCE: 0 the symmetric sweep v/2, gates, v/2; 1 every state from the old ones.
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

/* x / (1 - exp(-x)), guarded at 0. */
static inline real linoid(real x) {
  real far = FABS(x) < (real)1e-3 ? (real)1 : x;
  real value = far / ((real)1 - EXP(-far));
  return FABS(x) < (real)1e-3 ? (real)1 + x / 2 : value;
}

/* dy/dt = drive - decay y over dt. */
static inline real flow(real y, real drive, real decay, real dt) {
#if FLOW == 0
  real rest = drive / decay;
  return rest + (y - rest) * EXP(-dt * decay);
#elif FLOW == 1
  real z = dt * decay, even = 12 + z * z, odd = 6 * z;
  return (y * (even - odd) + 12 * dt * drive) / (even + odd);
#else
  real half = dt * decay / 2;
  return (y * (1 - half) + dt * drive) / (1 + half);
#endif
}

/* Half of a step split around the gates: Crank-Nicolson's halves are implicit, then explicit. */
static inline real half(real y, real drive, real decay, real dt, int second) {
#if FLOW == 2
  return second ? y + dt * (drive - decay * y) : (y + dt * drive) / (1 + dt * decay);
#else
  return flow(y, drive, decay, dt);
#endif
}

enum part { WHOLE, FIRST, SECOND };

static inline real membrane(real v, real m, real h, real n, real current, real dt,
                            enum part part) {
  real na = (real)120 * m * m * m * h, k = (real)36 * n * n * n * n, leak = (real)0.3;
  real drive = na * 50 - k * 77 - leak * (real)54.387 + current, decay = na + k + leak;
  return part == WHOLE ? flow(v, drive, decay, dt) : half(v, drive, decay, dt / 2, part == SECOND);
}

static void step(real *restrict v, real *restrict m, real *restrict h, real *restrict n,
                 long cells, real dt, real current) {
#pragma GCC ivdep
  for (long i = 0; i < cells; i++) {
    real before = v[i];
    real w = ALL_AT_ONCE ? before : membrane(before, m[i], h[i], n[i], current, dt, FIRST);
    real am = linoid((w + 40) / 10), bm = 4 * EXP(-(w + 65) / 18);
    real ah = (real)0.07 * EXP(-(w + 65) / 20), bh = 1 / (1 + EXP(-(w + 35) / 10));
    real an = (real)0.1 * linoid((w + 55) / 10), bn = (real)0.125 * EXP(-(w + 65) / 80);
    real next = ALL_AT_ONCE ? membrane(before, m[i], h[i], n[i], current, dt, WHOLE) : w;
    m[i] = flow(m[i], am, am + bm, dt);
    h[i] = flow(h[i], ah, ah + bh, dt);
    n[i] = flow(n[i], an, an + bn, dt);
    v[i] = ALL_AT_ONCE ? next : membrane(w, m[i], h[i], n[i], current, dt, SECOND);
  }
}

static void start(real *v, real *m, real *h, real *n, long cells) {
  for (long i = 0; i < cells; i++) {
    v[i] = -65;
    m[i] = (real)0.052932485257249577, h[i] = (real)0.59612075350846028;
    n[i] = (real)0.31767691406069742;
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  long cells = atol(argv[1]), steps = atol(argv[2]);
  real dt = (real)atof(argv[3]), current = (real)atof(argv[4]);
  FILE *file = argc > 5 ? fopen(argv[5], "wb") : NULL;
  real *v = aligned_alloc(64, 4 * (cells + 16) * sizeof(real));
  real *m = v + cells, *h = m + cells, *n = h + cells;
  struct timespec a, b;
  start(v, m, h, n, cells);
  for (long s = 0; file == NULL && s < steps; s++) step(v, m, h, n, cells, dt, current);
  start(v, m, h, n, cells);
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (long s = 0; file == NULL && s < steps; s++) step(v, m, h, n, cells, dt, current);
  clock_gettime(CLOCK_MONOTONIC, &b);
  for (long s = 0; file != NULL && s <= steps; s++) {
    double first = v[0];
    fwrite(&first, sizeof first, 1, file);
    step(v, m, h, n, cells, dt, current);
  }
  if (file != NULL) fclose(file);
  double mean = 0;
  for (long i = 0; i < cells; i++) mean += v[i];
  printf("%.9g %.9g\n", (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec), mean / cells);
  return 0;
}
