/* bench_elemfn.c - float32 elementary functions against glibc's vectorised libm (libmvec, AVX2, at most
 * 4 ulp of error where these have at most half of one), opened at run time: no build needs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "bench.h"

#ifdef __x86_64__
#include <dlfcn.h>
#include <immintrin.h>

enum { COUNT = 1 << 14 }; /* 64 KiB in, 64 KiB out: no cache is missed for long */

typedef __m256 unary(__m256);
typedef __m256 binary(__m256, __m256);

/* A function that libmvec lacks is measured against its nearest relative there. */
typedef struct row {
    fpx_elemfn f;
    const char *symbol, *peer;
    float low, high; /* arguments */
} row;

#define POWF "_ZGVdN8vv_powf"

static const row rows[] = {
    { FPX_ELEMFN_EXP, "_ZGVdN8v_expf", "libmvec expf", -20.0f, 20.0f },
    { FPX_ELEMFN_EXP2, "_ZGVdN8v_exp2f", "libmvec exp2f", -20.0f, 20.0f },
    { FPX_ELEMFN_EXPM1, "_ZGVdN8v_expm1f", "libmvec expm1f", -20.0f, 20.0f },
    { FPX_ELEMFN_LOG, "_ZGVdN8v_logf", "libmvec logf", 0.0f, 20.0f },
    { FPX_ELEMFN_LOG2, "_ZGVdN8v_log2f", "libmvec log2f", 0.0f, 20.0f },
    { FPX_ELEMFN_LOG1P, "_ZGVdN8v_log1pf", "libmvec log1pf", -0.999f, 20.0f },
    { FPX_ELEMFN_SIN, "_ZGVdN8v_sinf", "libmvec sinf", -20.0f, 20.0f },
    { FPX_ELEMFN_COS, "_ZGVdN8v_cosf", "libmvec cosf", -20.0f, 20.0f },
    { FPX_ELEMFN_TANH, "_ZGVdN8v_tanhf", "libmvec tanhf", -5.0f, 5.0f },
    { FPX_ELEMFN_SIGMOID, "_ZGVdN8v_expf", "libmvec expf", -20.0f, 20.0f },
    { FPX_ELEMFN_ERF, "_ZGVdN8v_erff", "libmvec erff", -4.0f, 4.0f },
    { FPX_ELEMFN_GELU, "_ZGVdN8v_erff", "libmvec erff", -5.0f, 5.0f },
    { FPX_ELEMFN_SILU, "_ZGVdN8v_expf", "libmvec expf", -20.0f, 20.0f },
    { FPX_ELEMFN_RSQRT, POWF, "libmvec powf", 0.0f, 20.0f },
    { FPX_ELEMFN_CBRT, "_ZGVdN8v_cbrtf", "libmvec cbrtf", -20.0f, 20.0f },
    { FPX_ELEMFN_POW + 3, POWF, "libmvec powf", -20.0f, 20.0f },
    { FPX_ELEMFN_POW + 16, POWF, "libmvec powf", -2.0f, 2.0f },
    { FPX_ELEMFN_POW - 2, POWF, "libmvec powf", -20.0f, 20.0f },
};

typedef struct job {
    const row *row;
    fpx_cpu_level level;
    void *peer; /* NULL: ours */
    float x[COUNT], y[COUNT];
} job;

static fpx_status run_ours(void *context, fpx_error *err)
{
    job *j = context;

    (void)err;
    fpx_elemfn_f32_array(j->row->f, j->level, j->x, j->y, COUNT);
    return FPX_OK;
}

__attribute__((target("avx2"))) static fpx_status run_peer(void *context, fpx_error *err)
{
    job *j = context;
    const float power =
        j->row->f == FPX_ELEMFN_RSQRT ? -0.5f : (float)((int)j->row->f - FPX_ELEMFN_POW);
    const __m256 n = _mm256_set1_ps(power);
    unary *f;
    binary *pow;

    (void)err;
    memcpy(&f, &j->peer, sizeof f); /* C has no cast from void * to a function */
    memcpy(&pow, &j->peer, sizeof pow);
    if (strcmp(j->row->symbol, POWF) == 0) {
        for (size_t i = 0; i < COUNT; i += 8)
            _mm256_storeu_ps(j->y + i, pow(_mm256_loadu_ps(j->x + i), n));
    } else {
        for (size_t i = 0; i < COUNT; i += 8)
            _mm256_storeu_ps(j->y + i, f(_mm256_loadu_ps(j->x + i)));
    }
    return FPX_OK;
}

static fpx_status measure(bench *b, job *j, void *libmvec, fpx_error *err)
{
    bench_job jobs[2] = { { .run = run_ours, .context = j }, { .run = run_peer, .context = j } };
    bench_figure figure = { .area = "elemfn", .unit = "M/s", .against = j->row->peer };
    const fpx_fpenv env = fpx_fpenv_enter();

    bench_fill(j->x, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        j->x[i] = j->row->low + (j->row->high - j->row->low) * (0.5f * j->x[i] + 0.5f);
    j->peer = dlsym(libmvec, j->row->symbol);
    const fpx_status status =
        j->peer == NULL ? FPX_OK : bench_measure(b, 1, jobs, 2, err); /* older glibc lacks some */
    fpx_fpenv_leave(env);
    (void)snprintf(figure.name, sizeof figure.name, "%s/f32/%s", fpx_elemfn_name(j->row->f),
                   fpx_elemfn_kernel_name(j->level));
    figure.value = COUNT / jobs[0].best * 1e-6;
    figure.peer = COUNT / jobs[1].best * 1e-6;
    if (status == FPX_OK && j->peer != NULL)
        bench_add(b, &figure);
    return status;
}

static fpx_status run_all(bench *b, fpx_error *err)
{
    void *const libmvec = dlopen("libmvec.so.1", RTLD_NOW | RTLD_LOCAL);
    job *const j = malloc(sizeof *j);
    fpx_status status = FPX_OK;

    if (j == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "bench: 128 KiB are not there");
    else if (libmvec == NULL || fpx_cpu_detect() < FPX_CPU_AVX2)
        (void)printf("%-8s needs glibc's libmvec and AVX2 for its peers\n", "elemfn");
    else
        for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == FPX_OK; i++) {
            j->row = &rows[i];
            j->level = b->level;
            status = measure(b, j, libmvec, err);
        }
    if (libmvec != NULL)
        (void)dlclose(libmvec);
    free(j);
    return status;
}

#endif

static fpx_status run(bench *b, fpx_error *err)
{
#ifdef __x86_64__
    return run_all(b, err);
#else
    (void)b;
    (void)err;
    (void)printf("%-8s is measured on x86-64 only\n", "elemfn");
    return FPX_OK;
#endif
}

const bench_area bench_elemfn = { "elemfn", "elementary functions", run };
