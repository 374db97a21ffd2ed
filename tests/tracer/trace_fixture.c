/* trace_fixture.c - deterministic traces for the tests of tracer/. */
#include "trace_fixture.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *tensor, *op;
    uint32_t op_index;
    const fpx_format *format;
    size_t ndim;
    uint64_t shape[FPX_MAX_DIMS];
    uint8_t packing;
    uint8_t scales;
    uint32_t values;
} rows[FIXTURE_RECORDS] = {
    /* A name that is the beginning of the next ones, as groups of HDF5 could not hold them. */
    { "layer.0/x", "layer.0/quantize", 0, &fpx_e4m3, 2, { 16, 32 }, FPX_PACK_NONE, 1, 1 },
    { "layer.0/x/scale", "layer.0/quantize", 0, &fpx_fp32, 0, { 0 }, FPX_PACK_NONE, 0, 1 },
    { "layer.0/y", "layer.0/fprop", 3, &fpx_bf16, 3, { 3, 5, 7 }, FPX_PACK_NONE, 0, 1 },
    { "layer.0/y/silent", "layer.0/fprop2", 4, &fpx_bf16, 2, { 33, 9 }, FPX_PACK_NONE, 0, 0 },
    { "tokens", "embed", 5, &fpx_int32, 2, { 4, 9 }, FPX_PACK_NONE, 0, 1 },
    { "w4", "pack", 7, &fpx_e2m1, 2, { 6, 32 }, FPX_PACK_DENSE, 2, 1 },
    { "w4/unpacked", "pack", 7, &fpx_e2m1, 1, { 15 }, FPX_PACK_NONE, 0, 1 },
    { "g", "adam", 9, &fpx_fp32, 4, { 2, 3, 4, 5 }, FPX_PACK_NONE, 0, 1 },
    { "loss", "adam", 9, &fpx_fp64, 1, { 3 }, FPX_PACK_NONE, 0, 1 },
};

static void make_record(size_t i, fpx_trace_record *record)
{
    memset(record, 0, sizeof *record);
    snprintf(record->tensor, sizeof record->tensor, "%s", rows[i].tensor);
    snprintf(record->op, sizeof record->op, "%s", rows[i].op);
    snprintf(record->kind, sizeof record->kind, "kind%zu", i);
    snprintf(record->role, sizeof record->role, "fprop");
    snprintf(record->device, sizeof record->device, "cpu");
    record->layer = i < 4 ? 0 : -1;
    record->op_index = rows[i].op_index;
    record->values = rows[i].values;
    ck_assert_int_eq(fpx_tensor_make(rows[i].format, rows[i].ndim, rows[i].shape, &record->desc),
                     FPX_OK);
    record->desc.packing = rows[i].packing;
    record->desc.nscales = rows[i].scales;
    for (uint8_t level = 0; level < rows[i].scales; level++) {
        record->desc.scale[level].format = level == 0 ? fpx_e4m3 : fpx_fp32;
        record->desc.scale[level].block[1] = level == 0 ? 16 : 0;
        record->desc.scale[level].layout = FPX_SCALE_CUBLAS;
    }
}

const fpx_trace_layout *fixture_layout(void)
{
    static fpx_trace_record records[FIXTURE_RECORDS];
    static fpx_trace_layout layout = {
        .records = records,
        .nrecords = FIXTURE_RECORDS,
        .modes = { { "local:fp64" }, { "free:fp64" } },
        .nmodes = FIXTURE_MODES,
        .experiment = "model: tiny\nsteps: 8\n",
        .overrides = "steps: 9\n",
        .recipe = "name: tiny\n",
        .device = "cpu avx2",
        .version = "0.1.0",
    };

    for (size_t i = 0; i < FIXTURE_RECORDS; i++)
        make_record(i, &records[i]);
    return &layout;
}

uint64_t fixture_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void fixture_codes(uint64_t step, size_t record, uint8_t *ret_codes)
{
    const fpx_tensor *desc = &fixture_layout()->records[record].desc;
    const size_t n = fpx_tensor_bytes(desc);
    uint64_t state = step * 1000 + record;

    ck_assert_uint_le(n, FIXTURE_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        ret_codes[i] = (uint8_t)(fixture_random(&state) >> 56);
    if (record == 0) { /* every code of e4m3, twice */
        for (size_t i = 0; i < n; i++)
            ret_codes[i] = (uint8_t)(i + step);
    }
    if (desc->format.bits == 4 && desc->packing == FPX_PACK_NONE) {
        for (size_t i = 0; i < n; i++)
            ret_codes[i] &= 15;
    }
}

double fixture_scale(uint64_t step, size_t record)
{
    return record % 3 == 0 ? 0.25 * (double)(step + 1) : 1.0;
}

fpx_figure fixture_figure(uint64_t step, size_t mode, size_t record)
{
    const fpx_figure figure = { .max_abs = (double)step,
                                .rms = (double)mode,
                                .ratio = (double)record,
                                .expected_bits = 0x1p53 - 1,
                                .actual_bits = -0.0 };

    return figure;
}

fpx_status fixture_step(fpx_trace_writer *writer, uint64_t step, fpx_error *err)
{
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_status status = fpx_trace_begin(writer, step, err);

    for (size_t i = 0; i < FIXTURE_RECORDS && status == FPX_OK; i++) {
        fixture_codes(step, i, codes);
        status = fpx_trace_put(writer, i, codes, fixture_scale(step, i), err);
        if (i % 2 == 0 && status == FPX_OK) {
            const fpx_figure figure = fixture_figure(step, 1, i);
            status = fpx_trace_put_figure(writer, 1, i, &figure, err);
        }
    }
    return status == FPX_OK ? fpx_trace_commit(writer, err) : status;
}

static void check_values(fpx_trace *trace, size_t index, uint64_t step, size_t record)
{
    uint8_t expected[FIXTURE_MAX_BYTES];
    uint8_t got[FIXTURE_MAX_BYTES];
    const fpx_trace_record *r = &fixture_layout()->records[record];
    fpx_error err;
    const fpx_status status = fpx_trace_values(trace, index, record, got, &err);

    if (!r->values) {
        ck_assert_int_eq(status, FPX_EUNSUPPORTED);
        return;
    }
    if (status != FPX_OK)
        ck_abort_msg("values of '%s': %s", r->tensor, err.text);
    fixture_codes(step, record, expected);
    if (memcmp(expected, got, fpx_tensor_bytes(&r->desc)) != 0)
        ck_abort_msg("values of '%s' at step %llu differ", r->tensor, (unsigned long long)step);
}

static void check_digests(fpx_trace *trace, size_t index, uint64_t step)
{
    fpx_digest digests[FIXTURE_RECORDS];
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_error err;

    if (fpx_trace_digests(trace, index, digests, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
        fixture_codes(step, i, codes);
        if (!fpx_digest_equal(digests[i],
                              fpx_digest_tensor(&fixture_layout()->records[i].desc, codes)))
            ck_abort_msg("digest of record %zu at step %llu", i, (unsigned long long)step);
    }
}

/* Bit by bit: NaN fields count as what they are. */
static int same_bytes(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static void check_stats(fpx_trace *trace, size_t index, uint64_t step)
{
    fpx_stats stats[FIXTURE_RECORDS];
    double scales[FIXTURE_RECORDS];
    uint8_t codes[FIXTURE_MAX_BYTES];
    uint8_t loose[2 * FIXTURE_MAX_BYTES];
    fpx_error err;

    if (fpx_trace_stats(trace, index, stats, scales, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
        const fpx_tensor *desc = &fixture_layout()->records[i].desc;
        const double scale = fixture_scale(step, i);
        const size_t n = fpx_tensor_count(desc);
        fpx_stats expected;

        fixture_codes(step, i, codes);
        for (size_t k = 0; k < n && desc->packing == FPX_PACK_DENSE; k++)
            loose[k] = codes[k / 2] >> (k % 2 != 0 ? 4 : 0) & 15;
        ck_assert_int_eq(fpx_stats_codes(&desc->format, scale,
                                         desc->packing == FPX_PACK_DENSE ? loose : codes, n,
                                         &expected),
                         FPX_OK);
        if (!same_bytes(&expected, &stats[i], sizeof expected) || scales[i] != scale)
            ck_abort_msg("statistics of record %zu at step %llu", i, (unsigned long long)step);
    }
}

static void check_figures(fpx_trace *trace, size_t index, uint64_t step)
{
    fpx_figure figures[FIXTURE_RECORDS];
    fpx_error err;

    for (size_t mode = 0; mode < FIXTURE_MODES; mode++) {
        if (fpx_trace_figures(trace, index, mode, figures, &err) != FPX_OK)
            ck_abort_msg("%s", err.text);
        for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
            const fpx_figure expected = fixture_figure(step, mode, i);
            const int put = mode == 1 && i % 2 == 0;
            if (put ? !same_bytes(&expected, &figures[i], sizeof expected)
                    : figures[i].ratio == figures[i].ratio)
                ck_abort_msg("figure of mode %zu, record %zu", mode, i);
        }
    }
}

void fixture_check_step(fpx_trace *trace, size_t index)
{
    const uint64_t step = fpx_trace_step_at(trace, index);

    for (size_t i = 0; i < FIXTURE_RECORDS; i++)
        check_values(trace, index, step, i);
    check_digests(trace, index, step);
    check_stats(trace, index, step);
    check_figures(trace, index, step);
}

size_t fixture_check(const char *path, uint64_t first)
{
    fpx_trace *trace = NULL;
    fpx_error err;
    size_t checked = 0;

    if (fpx_trace_open(path, &trace, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    const size_t steps = fpx_trace_steps(trace);
    for (size_t i = 0; i < steps; i++) {
        if (fpx_trace_step_at(trace, i) != first + i)
            ck_abort_msg("step %zu has number %llu", i,
                         (unsigned long long)fpx_trace_step_at(trace, i));
        fixture_check_step(trace, i);
    }
    if (fpx_trace_verify(trace, &checked, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    ck_assert_uint_eq(checked, steps * (FIXTURE_RECORDS - 1));
    fpx_trace_free(trace);
    return steps;
}

char *fixture_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *folder = fixture_path(base != NULL ? base : "/tmp", "fpx-trace-XXXXXX");

    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

char *fixture_path(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    ck_assert_ptr_nonnull(path);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static void remove_tree(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            char *inside = fixture_path(path, entry->d_name);
            remove_tree(inside);
            free(inside);
        }
        if (dir != NULL)
            closedir(dir);
    }
    remove(path);
}

void fixture_remove(char *folder)
{
    remove_tree(folder);
    free(folder);
}

size_t fixture_effort(void)
{
    const char *text = getenv("FPX_TEST_EFFORT");
    const long effort = text != NULL ? strtol(text, NULL, 10) : 1;

    return effort > 1 ? (size_t)effort : 1;
}
