/* trace_differs.c - how the layout of a run differs from that of the trace it would go on with: the first field, and
 * what both have there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fpx/cpu.h>

#include "trace_layout.h"

enum { SAID = 160 };

static int same_arithmetic(const fpx_trace_record *a, const fpx_trace_record *b)
{
    return strcmp(a->device, b->device) == 0 ||
           (fpx_cpu_is_reproducible(a->device) && fpx_cpu_is_reproducible(b->device));
}

static int same_record(const fpx_trace_record *a, const fpx_trace_record *b)
{
    fpx_trace_record other = *b;

    if (same_arithmetic(a, b))
        memcpy(other.device, a->device, sizeof other.device);
    return memcmp(a, &other, sizeof other) == 0;
}

static void put_list(char *text, const uint64_t *list, size_t n)
{
    size_t used = (size_t)snprintf(text, SAID, "[");

    for (size_t i = 0; i < n && used < SAID; i++)
        used += (size_t)snprintf(text + used, SAID - used, "%s%" PRIu64, i ? "," : "", list[i]);
    if (used < SAID)
        (void)snprintf(text + used, SAID - used, "]");
}

static void say_tensor(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->tensor);
}

static void say_op(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->op);
}

static void say_kind(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->kind);
}

static void say_role(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->role);
}

static void say_place(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "operation %" PRIu32 " of layer %" PRId32, r->op_index, r->layer);
}

static void say_format(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s%s", r->desc.format.name,
                   r->desc.packing == FPX_PACK_DENSE ? ", two codes a byte" : "");
}

static void say_shape(const fpx_trace_record *r, char *text)
{
    put_list(text, r->desc.shape, r->desc.ndim);
}

/* Level by level: format and block. */
static void say_scales(const fpx_trace_record *r, char *text)
{
    size_t used = (size_t)snprintf(text, SAID, "%s", r->desc.nscales > 0 ? "" : "none");

    for (size_t i = 0; i < r->desc.nscales && used < SAID; i++) {
        const fpx_scaling *s = &r->desc.scale[i];
        char block[SAID];

        put_list(block, s->block, r->desc.ndim);
        used += (size_t)snprintf(text + used, SAID - used, "%s%s%s, blocks %s", i ? "; " : "",
                                 s->format.name,
                                 s->layout == FPX_SCALE_CUBLAS ? " in cuBLAS' tiles" : "", block);
    }
}

static void say_device(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->device);
}

static void say_values(const fpx_trace_record *r, char *text)
{
    (void)snprintf(text, SAID, "%s", r->values ? "recorded" : "not recorded");
}

static const struct {
    const char *name;
    void (*say)(const fpx_trace_record *r, char *text);
} fields[] = { { "tensor", say_tensor }, { "operation", say_op },  { "kind", say_kind },
               { "role", say_role },     { "place", say_place },   { "format", say_format },
               { "shape", say_shape },   { "scales", say_scales }, { "device", say_device },
               { "values", say_values } };

static void say_record(size_t i, const fpx_trace_record *there, const fpx_trace_record *here,
                       char *ret_text, size_t size)
{
    char x[SAID], y[SAID];

    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
        fields[k].say(here, x);
        fields[k].say(there, y);
        if (strcmp(x, y) == 0 || (fields[k].say == say_device && same_arithmetic(there, here)))
            continue;
        (void)snprintf(ret_text, size, "record %zu ('%s' of '%s'): %s '%s' here, '%s' there", i,
                       here->tensor, here->op, fields[k].name, x, y);
        return;
    }
    (void)snprintf(ret_text, size,
                   "record %zu ('%s' of '%s'): format '%s' is another one here than there", i,
                   here->tensor, here->op, here->desc.format.name);
}

/* The shadows, as "local:fp64 free:fp64"; "none". */
static void say_modes(const fpx_trace_layout *layout, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", layout->nmodes > 0 ? "" : "none");

    for (size_t m = 0; m < layout->nmodes && used < size; m++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", m ? " " : "", layout->modes[m].name);
}

int fpx_layout_differs(const fpx_trace_layout *a, const fpx_trace_layout *b, char *ret_text,
                       size_t size)
{
    char x[SAID], y[SAID];

    if (a->nrecords != b->nrecords) {
        (void)snprintf(ret_text, size, "%zu records here, %zu there", b->nrecords, a->nrecords);
        return 1;
    }
    for (size_t i = 0; i < a->nrecords; i++)
        if (!same_record(&a->records[i], &b->records[i])) {
            say_record(i, &a->records[i], &b->records[i], ret_text, size);
            return 1;
        }
    if (a->nmodes != b->nmodes || memcmp(a->modes, b->modes, sizeof a->modes) != 0) {
        say_modes(b, x, sizeof x);
        say_modes(a, y, sizeof y);
        (void)snprintf(ret_text, size, "shadows '%s' here, '%s' there", x, y);
        return 1;
    }
    return 0;
}
