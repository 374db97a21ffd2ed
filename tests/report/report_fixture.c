/* report_fixture.c - every code follows from (step, record, element), so that two traces differ exactly
 * where a test says so. */
#include "report_fixture.h"

#include <check.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 4, ELEMENTS = SIDE * SIDE, STRUCK = SIDE + 2 };

typedef struct table {
    fpx_trace_record records[FIXTURE_MAX_RECORDS];
    size_t n, struck;
    uint32_t ops;
} table;

run_made run_plain(void)
{
    return (run_made){ .steps = 12,
                       .layers = 2,
                       .strike = UINT64_MAX,
                       .heal = UINT64_MAX,
                       .nan_loss = UINT64_MAX,
                       .values = 1 };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

char *scratch_new(void)
{
    char *folder = strdup("/tmp/fpx-report-XXXXXX");

    ck_assert_ptr_nonnull(folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

void scratch_free(char *folder)
{
    ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

char *scratch_path(const char *folder, const char *name)
{
    static char paths[8][256];
    static size_t next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void add(table *t, const char *op, const char *tensor, const char *kind, const char *role,
                int32_t layer, const fpx_format *format, size_t side, int values)
{
    const uint64_t shape[2] = { side, side }, one = 1;
    fpx_trace_record *r = &t->records[t->n++];

    ck_assert_uint_le(t->n, FIXTURE_MAX_RECORDS);
    *r = (fpx_trace_record){ .layer = layer, .op_index = t->ops++, .values = (uint32_t)values };
    (void)snprintf(r->op, sizeof r->op, "%s", op);
    (void)snprintf(r->tensor, sizeof r->tensor, "%s", tensor);
    (void)snprintf(r->kind, sizeof r->kind, "%s", kind);
    (void)snprintf(r->role, sizeof r->role, "%s", role);
    (void)snprintf(r->device, sizeof r->device, "<cpu>");
    ck_assert_int_eq(side > 1 ? fpx_tensor_make(format, 2, shape, &r->desc)
                              : fpx_tensor_make(format, 1, &one, &r->desc),
                     FPX_OK);
}

static void add_layer(table *t, int layer, int values)
{
    char op[FPX_TRACE_NAME], tensor[FPX_TRACE_NAME];

    (void)snprintf(op, sizeof op, "layer.%d/attn.qkv/x.e4m3/quantize", layer);
    (void)snprintf(tensor, sizeof tensor, "layer.%d/attn.qkv/x.e4m3", layer);
    add(t, op, tensor, "quantize", "fprop", layer, &fpx_e4m3, SIDE, values);
    (void)snprintf(op, sizeof op, "layer.%d/attn.qkv/fprop", layer);
    (void)snprintf(tensor, sizeof tensor, "layer.%d/attn.qkv/y", layer);
    add(t, op, tensor, "gemm", "fprop", layer, &fpx_fp32, SIDE, values);
    if (layer == 1)
        t->struck = t->n - 1;
}

static void fill(table *t, const run_made *made)
{
    memset(t, 0, sizeof *t);
    add(t, "embed/fprop", "embed/y", "embed", "fprop", -1, &fpx_fp32, SIDE, made->values);
    for (size_t layer = 0; layer < made->layers; layer++)
        add_layer(t, (int)layer, made->values);
    add(t, FIXTURE_SCRIPT, FIXTURE_SCRIPT, "\"><img>", "fprop", -1, &fpx_bf16, SIDE, made->values);
    add(t, "loss/fprop", "loss", "xent", "fprop", -1, &fpx_fp32, 1, made->values);
    add(t, "clip/optimizer", "clip/norm", "clip", "optimizer", -1, &fpx_fp32, 1, made->values);
    add(t, "embed/w/adamw", "embed/w", "adamw", "optimizer", -1, &fpx_fp32, SIDE, made->values);
}

static int is_struck(const run_made *made, uint64_t step)
{
    return step >= made->strike && step < made->heal;
}

static void put_codes(fpx_trace_writer *w, const table *t, const run_made *made, uint64_t step,
                      size_t r)
{
    const fpx_tensor *desc = &t->records[r].desc;
    const size_t n = fpx_tensor_count(desc);
    uint8_t bytes[4 * ELEMENTS];
    fpx_error err;

    for (size_t i = 0; i < n; i++) {
        float x = 1.0f + (float)(step * 31 + strlen(t->records[r].tensor) * 7 + i) / 1024.0f;
        uint32_t code;

        if (strcmp(t->records[r].tensor, "loss") == 0) {
            x = step == made->nan_loss ? NAN : 8.0f / (1.0f + (float)step);
            x += is_struck(made, step) ? 0.5f : 0.0f;
        }
        memcpy(&code, &x, sizeof code);
        if (r == t->struck && i == STRUCK && is_struck(made, step))
            code ^= 1u << 22;
        if (desc->format.bits == 32)
            memcpy(bytes + 4 * i, &code, 4);
        else if (desc->format.bits == 16)
            memcpy(bytes + 2 * i, (uint16_t[]){ (uint16_t)(code >> 16) }, 2);
        else
            bytes[i] = (uint8_t)(code >> 16 & 0x3f);
    }
    if (fpx_trace_put(w, r, bytes, 1.0, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
}

static void put_figure(fpx_trace_writer *w, const table *t, const run_made *made, uint64_t step,
                       size_t mode, size_t r)
{
    const double none = (double)NAN;
    const int struck = mode == 0 && r == t->struck && is_struck(made, step);
    const int equal = made->all_disagree && mode == 0;
    const fpx_figure figure = { .max_abs = 1e-6,
                                .rms = 1e-7 * (double)(r + 1),
                                .rms_reference = r == 0 ? 0.0 : 1.0,
                                .cosine = 1.0,
                                .ratio = struck || equal ? made->ratio : 0.5,
                                .mismatches = struck  ? made->mismatches
                                              : equal ? (double)(r % 7 + 1)
                                                      : 0.0,
                                .element = STRUCK,
                                .expected = 1.25,
                                .actual = struck ? none : 1.25,
                                .expected_bits = struck ? 0x3fa00000 : none,
                                .actual_bits = struck ? 0x7fc00000 : none };

    if (r % 3 == 2) /* never put: reads as NaN */
        return;
    ck_assert_int_eq(fpx_trace_put_figure(w, mode, r, &figure, NULL), FPX_OK);
}

fpx_trace *run_write(const char *path, const run_made *made)
{
    static table t;
    fpx_trace_layout layout = { .records = t.records,
                                .experiment =
                                    made->texts[0] ? made->texts[0] : "name: " FIXTURE_SCRIPT "\n",
                                .overrides = made->texts[1],
                                .recipe = made->texts[2],
                                .device = "cpu \xff <b>",
                                .version = "0.0" };
    fpx_trace_writer *w = NULL;
    fpx_trace *trace = NULL;
    fpx_error err;

    fill(&t, made);
    layout.nrecords = t.n;
    while (layout.nmodes < FPX_TRACE_MODES && made->modes[layout.nmodes] != NULL) {
        (void)snprintf(layout.modes[layout.nmodes].name, sizeof layout.modes[0].name, "%s",
                       made->modes[layout.nmodes]);
        layout.nmodes++;
    }
    if (fpx_trace_create(path, &layout, made->steps, &w, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (uint64_t step = 0; step < made->steps; step++) {
        if (fpx_trace_begin(w, step, &err) != FPX_OK)
            ck_abort_msg("%s", err.text);
        for (size_t r = 0; r < t.n; r++) {
            put_codes(w, &t, made, step, r);
            for (size_t m = 0; m < layout.nmodes; m++)
                put_figure(w, &t, made, step, m, r);
        }
        if (fpx_trace_commit(w, &err) != FPX_OK)
            ck_abort_msg("%s", err.text);
    }
    ck_assert_int_eq(fpx_trace_close(w, NULL), FPX_OK);
    if (fpx_trace_open(path, &trace, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return trace;
}

char *text_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text;
    long size;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    rewind(f);
    text = calloc((size_t)size + 1, 1);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, f), (size_t)size);
    (void)fclose(f);
    return text;
}
