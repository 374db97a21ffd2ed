/* tiny_trace.h - traces of five small records whose every code follows from (step, record, element), and
 * edits of single codes: so that a test knows each difference beforehand. */
#ifndef TESTS_COMPARE_TINY_TRACE_H
#define TESTS_COMPARE_TINY_TRACE_H

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/trace.h>

enum { TINY_X, TINY_Y, TINY_W4, TINY_SILENT, TINY_LOSS, TINY_RECORDS };
enum { TINY_PATH = 512, TINY_BYTES = 64 };

static char tiny_folder[TINY_PATH / 2];

typedef struct tiny_layout {
    fpx_trace_record records[TINY_RECORDS];
    fpx_trace_layout layout;
} tiny_layout;

/* The code of one element of one step is this one. */
typedef struct tiny_edit {
    uint64_t step;
    size_t record, element;
    uint64_t code;
} tiny_edit;

typedef struct tiny_mark {
    uint64_t step;
    size_t mode, record;
    fpx_figure figure;
} tiny_mark;

typedef struct tiny_run {
    uint64_t first, steps, left_out; /* left_out: a step that is not recorded; 0: none */
    const tiny_edit *edits;
    size_t nedits;
    const tiny_mark *marks;
    size_t nmarks;
} tiny_run;

static inline void tiny_make(tiny_layout *t)
{
    static const struct {
        const char *tensor, *op;
        const fpx_format *format;
        size_t ndim;
        uint64_t shape[FPX_MAX_DIMS];
        uint8_t packing;
        uint32_t values;
    } rows[TINY_RECORDS] = {
        { "x", "load", &fpx_fp32, 2, { 2, 3 }, FPX_PACK_NONE, 1 },
        { "layer.0/y", "layer.0/fprop", &fpx_bf16, 1, { 4 }, FPX_PACK_NONE, 1 },
        { "w4", "pack", &fpx_e2m1, 2, { 4, 4 }, FPX_PACK_DENSE, 1 },
        { "silent", "layer.1/fprop", &fpx_fp32, 1, { 3 }, FPX_PACK_NONE, 0 },
        { "loss", "loss/fprop", &fpx_fp64, 1, { 1 }, FPX_PACK_NONE, 1 },
    };

    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < TINY_RECORDS; i++) {
        fpx_trace_record *r = &t->records[i];

        (void)snprintf(r->tensor, sizeof r->tensor, "%s", rows[i].tensor);
        (void)snprintf(r->op, sizeof r->op, "%s", rows[i].op);
        (void)snprintf(r->kind, sizeof r->kind, "kind");
        (void)snprintf(r->role, sizeof r->role, "fprop");
        (void)snprintf(r->device, sizeof r->device, "cpu");
        r->layer = i == TINY_Y ? 0 : -1;
        r->op_index = (uint32_t)i;
        r->values = rows[i].values;
        ck_assert_int_eq(fpx_tensor_make(rows[i].format, rows[i].ndim, rows[i].shape, &r->desc), 0);
        r->desc.packing = rows[i].packing;
    }
    t->layout = (fpx_trace_layout){ .records = t->records,
                                    .nrecords = TINY_RECORDS,
                                    .modes = { { "local:fp64" }, { "local:cpu" } },
                                    .nmodes = 2,
                                    .experiment = "model: tiny\n",
                                    .device = "cpu",
                                    .version = "0.1.0" };
}

/* Losses 8, 5, 9, 9, 8, 5, ...: changes of -3, 4, 0, -1. */
static inline double tiny_loss(uint64_t step)
{
    static const double loss[] = { 8.0, 5.0, 9.0, 9.0 };

    return loss[step % 4];
}

static inline uint64_t tiny_double(double x)
{
    uint64_t code;

    memcpy(&code, &x, sizeof code);
    return code;
}

static inline uint64_t tiny_code(uint64_t step, size_t record, size_t element)
{
    switch (record) {
    case TINY_Y:
        return 0x3f80 + step + element;
    case TINY_W4:
        return (step + element) & 15;
    case TINY_LOSS:
        return tiny_double(tiny_loss(step));
    default:
        return 0x3f800000 + 16 * step + element;
    }
}

static inline void tiny_set(const fpx_tensor *desc, uint8_t *codes, size_t i, uint64_t code)
{
    const size_t n = fpx_format_size(&desc->format);

    if (desc->packing == FPX_PACK_DENSE) {
        const unsigned shift = i % 2 != 0 ? 4 : 0;

        codes[i / 2] = (uint8_t)((codes[i / 2] & ~(15u << shift)) | (unsigned)code << shift);
        return;
    }
    for (size_t b = 0; b < n; b++)
        codes[i * n + b] = (uint8_t)(code >> (8 * b));
}

static inline void tiny_step(fpx_trace_writer *w, const fpx_trace_layout *layout,
                             const tiny_run *run, uint64_t step)
{
    fpx_error err;

    ck_assert_int_eq(fpx_trace_begin(w, step, &err), FPX_OK);
    for (size_t r = 0; r < layout->nrecords; r++) {
        const fpx_tensor *desc = &layout->records[r].desc;
        uint8_t codes[TINY_BYTES] = { 0 };

        ck_assert_uint_le(fpx_tensor_bytes(desc), sizeof codes);
        for (size_t i = 0; i < fpx_tensor_count(desc); i++)
            tiny_set(desc, codes, i, tiny_code(step, r, i));
        for (size_t e = 0; e < run->nedits; e++)
            if (run->edits[e].step == step && run->edits[e].record == r)
                tiny_set(desc, codes, run->edits[e].element, run->edits[e].code);
        ck_assert_int_eq(fpx_trace_put(w, r, codes, 1.0, &err), FPX_OK);
    }
    for (size_t m = 0; m < run->nmarks; m++)
        if (run->marks[m].step == step)
            ck_assert_int_eq(fpx_trace_put_figure(w, run->marks[m].mode, run->marks[m].record,
                                                  &run->marks[m].figure, &err),
                             FPX_OK);
    if (fpx_trace_commit(w, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
}

/* Writes a trace under a new name and opens it. */
static inline fpx_trace *tiny_trace(const fpx_trace_layout *layout, const tiny_run *run)
{
    static unsigned number;
    char path[TINY_PATH];
    fpx_trace_writer *w = NULL;
    fpx_trace *trace = NULL;
    fpx_error err;

    (void)snprintf(path, sizeof path, "%s/%u.h5", tiny_folder, number++);
    if (fpx_trace_create(path, layout, run->steps, &w, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (uint64_t s = run->first; s < run->first + run->steps; s++)
        if (s == 0 || s != run->left_out)
            tiny_step(w, layout, run, s);
    ck_assert_int_eq(fpx_trace_close(w, &err), FPX_OK);
    if (fpx_trace_open(path, &trace, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return trace;
}

static inline void tiny_setup(void)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(tiny_folder, sizeof tiny_folder, "%s/fpx-tiny-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(tiny_folder));
}

static inline int tiny_remove(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void tiny_teardown(void)
{
    (void)nftw(tiny_folder, tiny_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Entries of the folder, to see that nothing was left. */
static inline size_t tiny_entries(void)
{
    DIR *dir = opendir(tiny_folder);
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static inline void tiny_path(char path[TINY_PATH], const char *name)
{
    (void)snprintf(path, TINY_PATH, "%s/%s", tiny_folder, name);
}

/* xorshift64*: state must not be 0. */
static inline uint64_t tiny_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline int tiny_main(Suite *s)
{
    SRunner *runner = srunner_create(s);

    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* TESTS_COMPARE_TINY_TRACE_H */
